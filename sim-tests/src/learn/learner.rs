//! Learns the machine of a system from its answers.

use super::mealy::Mealy;
use std::collections::HashMap;
use std::hash::Hash;

/// A system that can be started anew and asked.
pub trait System<I, O> {
    /// Starts anew, gives one input after another, and returns the output to each.
    ///
    /// # Errors
    /// What went wrong, if the system could not be asked.
    fn answer(&mut self, word: &[I]) -> Result<Vec<O>, String>;
}

impl<I, O, F: FnMut(&[I]) -> Result<Vec<O>, String>> System<I, O> for F {
    fn answer(&mut self, word: &[I]) -> Result<Vec<O>, String> {
        self(word)
    }
}

/// A machine that was learned, and what it cost.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Learned<I, O> {
    /// The machine. It has no two states that answer alike.
    pub machine: Mealy<I, O>,
    /// Number of words that the system was asked.
    pub queries: usize,
    /// Number of inputs in these words.
    pub symbols: usize,
    /// Number of machines that were guessed; the last one is right.
    pub guesses: usize,
}

/// Learns the machine of a system over an alphabet, by L* for Mealy machines (Angluin 1987; Shahbaz and Groz 2009), with
/// the analysis of counterexamples of Rivest and Schapire (1993).
///
/// Each guess is compared with the system by the W-method (Chow 1978): a word to each state, any `depth` inputs, and a word that
/// tells the states apart. A machine with at most `depth - 1` states more than the guess has is told from it for certain.
///
/// # Errors
/// What the system says, or that it is not deterministic: it answered the same word in two ways.
pub fn learn<I: Copy + Eq + Hash, O: Clone + Eq>(
    system: &mut impl System<I, O>,
    inputs: &[I],
    depth: usize,
) -> Result<Learned<I, O>, String> {
    let mut learner = Learner {
        system,
        inputs,
        known: HashMap::new(),
        queries: 0,
        symbols: 0,
        // Each input alone, so that a row has the outputs of a state.
        suffixes: inputs.iter().map(|input| vec![*input]).collect(),
        states: vec![Vec::new()],
    };
    let mut guesses = 0;
    loop {
        let machine = learner.guess()?;
        guesses += 1;
        let Some(word) = learner.counterexample(&machine, depth)? else {
            let Learner { queries, symbols, .. } = learner;
            return Ok(Learned { machine, queries, symbols, guesses });
        };
        learner.learn_from(&machine, &word)?;
    }
}

struct Learner<'a, I, O, S> {
    system: &'a mut S,
    inputs: &'a [I],
    /// The outputs to all words that were asked, and to their beginnings.
    known: HashMap<Vec<I>, Vec<O>>,
    queries: usize,
    symbols: usize,
    /// The words that tell states apart.
    suffixes: Vec<Vec<I>>,
    /// A word to each state. No two of them have the same row.
    states: Vec<Vec<I>>,
}

impl<I: Copy + Eq + Hash, O: Clone + Eq, S: System<I, O>> Learner<'_, I, O, S> {
    fn ask(&mut self, word: &[I]) -> Result<Vec<O>, String> {
        if let Some(outputs) = self.known.get(word) {
            return Ok(outputs.clone());
        }
        let outputs = self.system.answer(word)?;
        if outputs.len() != word.len() {
            return Err(format!("expected {} outputs, received {}", word.len(), outputs.len()));
        }
        self.queries += 1;
        self.symbols += word.len();
        for length in 1..=word.len() {
            let before = self.known.entry(word[..length].to_vec()).or_insert_with(|| outputs[..length].to_vec());
            if *before != outputs[..length] {
                return Err("the system is not deterministic: it answers one word in two ways".to_owned());
            }
        }
        Ok(outputs)
    }

    /// The outputs to `suffix` behind `prefix`.
    fn outputs_behind(&mut self, prefix: &[I], suffix: &[I]) -> Result<Vec<O>, String> {
        Ok(self.ask(&[prefix, suffix].concat())?.split_off(prefix.len()))
    }

    /// What tells the state behind a word from others.
    fn row(&mut self, word: &[I]) -> Result<Vec<Vec<O>>, String> {
        (0..self.suffixes.len()).map(|index| self.outputs_behind(word, &self.suffixes[index].clone())).collect()
    }

    /// The machine whose states are the rows, after adding those that are reached and missing.
    fn guess(&mut self) -> Result<Mealy<I, O>, String> {
        let mut rows = Vec::new();
        for word in self.states.clone() {
            rows.push(self.row(&word)?);
        }
        let mut steps = HashMap::new();
        let mut state = 0;
        while state < self.states.len() {
            for input in self.inputs {
                let word = [&self.states[state][..], &[*input]].concat();
                let row = self.row(&word)?;
                let next = rows.iter().position(|one| *one == row).unwrap_or_else(|| {
                    self.states.push(word.clone());
                    rows.push(row);
                    rows.len() - 1
                });
                let output = self.outputs_behind(&self.states[state].clone(), &[*input])?.remove(0);
                steps.insert((state, *input), (next, output));
            }
            state += 1;
        }
        Ok(Mealy::explore(0, self.inputs, |state, input| steps[&(*state, input)].clone()))
    }

    /// A word that the machine answers otherwise than the system.
    fn counterexample(&mut self, machine: &Mealy<I, O>, depth: usize) -> Result<Option<Vec<I>>, String> {
        for length in 0..=depth {
            for access in machine.access() {
                for middle in words(self.inputs, length) {
                    for index in 0..self.suffixes.len() {
                        let word = [&access[..], &middle, &self.suffixes[index]].concat();
                        if self.ask(&word)? != machine.answer(&word) {
                            return Ok(Some(word));
                        }
                    }
                }
            }
        }
        Ok(None)
    }

    /// Adds the suffix of a counterexample that tells apart two states that the machine takes for one.
    ///
    /// Behind the word to the state that the machine is in after `split` inputs, the rest of the counterexample is answered
    /// rightly at the end, and wrongly at the beginning. So there is a place where this changes.
    fn learn_from(&mut self, machine: &Mealy<I, O>, word: &[I]) -> Result<(), String> {
        let access = machine.access();
        let (mut wrong, mut right) = (0, word.len());
        while right - wrong > 1 {
            let middle = usize::midpoint(wrong, right);
            if self.is_answered_alike(machine, &access, word, middle)? {
                right = middle;
            } else {
                wrong = middle;
            }
        }
        let suffix = word[right..].to_vec();
        if suffix.is_empty() || self.suffixes.contains(&suffix) {
            return Err("the system is not deterministic: a word that told two states apart does so no more".to_owned());
        }
        self.suffixes.push(suffix);
        Ok(())
    }

    /// Whether the system, brought to the state in which the machine is after `split` inputs by the word of that state,
    /// answers the rest as the machine does.
    fn is_answered_alike(
        &mut self,
        machine: &Mealy<I, O>,
        access: &[Vec<I>],
        word: &[I],
        split: usize,
    ) -> Result<bool, String> {
        let state =
            word[..split].iter().fold(0, |state, input| machine.step(state, *input).map_or(state, |(next, _)| next));
        let outputs = self.outputs_behind(&access[state].clone(), &word[split..])?;
        Ok(outputs == machine.answer(word)[split..])
    }
}

/// All words of a length.
fn words<I: Copy>(inputs: &[I], length: usize) -> Vec<Vec<I>> {
    let mut all = vec![Vec::new()];
    for _ in 0..length {
        all = all.iter().flat_map(|word| inputs.iter().map(move |input| [&word[..], &[*input]].concat())).collect();
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::Difference;

    /// Counts `true`s up to `modulus`, and says when it is there.
    fn counter(modulus: usize) -> Mealy<bool, bool> {
        Mealy::explore(0, &[false, true], |count, input| {
            let next = (count + usize::from(input)) % modulus;
            (next, next == 0 && input)
        })
    }

    fn learned(machine: &Mealy<bool, bool>, depth: usize) -> Learned<bool, bool> {
        learn(&mut |word: &[bool]| Ok(machine.answer(word)), &[false, true], depth).expect("it is deterministic")
    }

    #[test]
    fn a_counter_is_learned() {
        for modulus in 1..12 {
            assert_eq!(learned(&counter(modulus), modulus).machine, counter(modulus));
        }
    }

    #[test]
    fn a_state_too_many_is_not_learned() {
        let doubled = Mealy::explore((0, false), &[false, true], |(count, side), input| {
            let next = (count + usize::from(input)) % 3;
            ((next, !side), next == 0 && input)
        });
        assert_eq!(doubled.states(), 6);
        assert_eq!(doubled.minimized(), counter(3));
        assert_eq!(learned(&doubled, 3).machine, counter(3));
    }

    #[test]
    fn a_machine_is_drawn() {
        let expected = "digraph {\n    rankdir=LR\n    node [shape=circle]\n    0 -> 0 [label=\"false / false\"]\n    \
                        0 -> 0 [label=\"true / true\"]\n}\n";
        assert_eq!(counter(1).to_dot(), expected);
    }

    #[test]
    fn what_differs_is_the_shortest_word() {
        let difference = counter(3).difference(&counter(5)).expect("they differ");
        assert_eq!(difference, Difference { word: vec![true; 3], left: true, right: false });
        assert_eq!(counter(3).difference(&counter(3)), None);
    }

    #[test]
    fn a_system_that_answers_in_two_ways_is_an_error() {
        let mut calls = 0;
        let mut system = |word: &[bool]| {
            calls += 1;
            Ok(word.iter().map(|_| calls % 3 == 0).collect::<Vec<_>>())
        };
        let error = learn(&mut system, &[false, true], 2).expect_err("it is not deterministic");
        assert!(error.contains("not deterministic"), "{error}");
    }

    #[test]
    fn the_error_of_a_system_is_passed_on() {
        let mut system = |_: &[bool]| Err::<Vec<bool>, _>("no such port".to_owned());
        assert_eq!(learn(&mut system, &[true], 1).expect_err("it fails"), "no such port");
    }
}
