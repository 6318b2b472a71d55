//! Machines that answer each input with an output.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::fmt::{self, Display, Write};
use std::hash::Hash;

/// A Mealy machine: finitely many states, and in each a next state and an output for every input.
///
/// States are numbered in the order in which the shortest words reach them, so two machines that answer all words alike, and
/// have no more states than they need, are equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mealy<I, O> {
    inputs: Vec<I>,
    /// By state, then by input. State 0 is the first.
    rows: Vec<Vec<(usize, O)>>,
}

/// A word that two machines answer differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference<I, O> {
    /// The inputs. The machines differ at the last one only.
    pub word: Vec<I>,
    /// What the first machine answers to the last input.
    pub left: O,
    /// What the second machine answers to it.
    pub right: O,
}

impl<I: Copy + Eq, O: Clone + Eq> Mealy<I, O> {
    /// Creates a machine from its states: whatever names them, and for each input the next state and the output.
    ///
    /// `inputs` is the alphabet. States that cannot be reached from `first` are left out.
    ///
    /// # Panics
    /// If `step` names more than 100,000 states.
    pub fn explore<S: Clone + Eq + Hash>(first: S, inputs: &[I], mut step: impl FnMut(&S, I) -> (S, O)) -> Self {
        let mut numbers = HashMap::from([(first.clone(), 0)]);
        let mut waiting = VecDeque::from([first]);
        let mut rows = Vec::new();
        while let Some(state) = waiting.pop_front() {
            let mut row = Vec::new();
            for input in inputs {
                let (next, output) = step(&state, *input);
                let count = numbers.len();
                assert!(count <= 100_000, "expected at most 100,000 states");
                let number = *numbers.entry(next.clone()).or_insert_with(|| {
                    waiting.push_back(next);
                    count
                });
                row.push((number, output));
            }
            rows.push(row);
        }
        Self { inputs: inputs.to_vec(), rows }
    }

    /// Returns the alphabet.
    pub fn inputs(&self) -> &[I] {
        &self.inputs
    }

    /// Returns the number of states.
    pub fn states(&self) -> usize {
        self.rows.len()
    }

    /// Returns the next state and the output; `None` if there is no such state or input.
    pub fn step(&self, state: usize, input: I) -> Option<(usize, &O)> {
        let index = self.inputs.iter().position(|one| *one == input)?;
        let (next, output) = self.rows.get(state)?.get(index)?;
        Some((*next, output))
    }

    /// Returns the outputs for a word, up to the first input that is not in the alphabet.
    pub fn answer(&self, word: &[I]) -> Vec<O> {
        let mut state = 0;
        let mut outputs = Vec::new();
        for input in word {
            let Some((next, output)) = self.step(state, *input) else { break };
            outputs.push(output.clone());
            state = next;
        }
        outputs
    }

    /// Returns a shortest word that leads to each state, by state.
    pub fn access(&self) -> Vec<Vec<I>> {
        let mut words = vec![None; self.states()];
        words[0] = Some(Vec::new());
        let mut waiting = VecDeque::from([0]);
        while let Some(state) = waiting.pop_front() {
            let word: Vec<I> = words[state].clone().unwrap_or_default();
            for (input, (next, _)) in self.inputs.iter().zip(&self.rows[state]) {
                if words[*next].is_none() {
                    words[*next] = Some([&word[..], &[*input]].concat());
                    waiting.push_back(*next);
                }
            }
        }
        words.into_iter().flatten().collect()
    }

    /// Returns the smallest machine that answers all words as this one does.
    #[must_use]
    pub fn minimized(&self) -> Self {
        let mut classes = vec![0; self.states()];
        loop {
            // By class, and by the outputs and the classes that follow.
            let mut seen: Vec<(usize, Vec<(usize, &O)>)> = Vec::new();
            let mut next = Vec::new();
            for (state, row) in self.rows.iter().enumerate() {
                let behaviour = (classes[state], row.iter().map(|(next, output)| (classes[*next], output)).collect());
                let class = seen.iter().position(|one| *one == behaviour).unwrap_or_else(|| {
                    seen.push(behaviour);
                    seen.len() - 1
                });
                next.push(class);
            }
            if next == classes {
                break;
            }
            classes = next;
        }
        let member = |class: usize| classes.iter().position(|one| *one == class).unwrap_or(0);
        Self::explore(classes[0], &self.inputs, |class, input| {
            let index = self.inputs.iter().position(|one| *one == input).unwrap_or(0);
            let (next, output) = &self.rows[member(*class)][index];
            (classes[*next], output.clone())
        })
    }

    /// Returns a shortest word that `other` answers differently; `None` if there is none.
    ///
    /// Only the inputs of this machine are tried.
    pub fn difference(&self, other: &Self) -> Option<Difference<I, O>> {
        let mut seen = HashMap::from([((0, 0), Vec::new())]);
        let mut waiting = VecDeque::from([(0, 0)]);
        while let Some((left, right)) = waiting.pop_front() {
            let word: Vec<I> = seen.get(&(left, right)).cloned().unwrap_or_default();
            for input in &self.inputs {
                let (Some(one), Some(two)) = (self.step(left, *input), other.step(right, *input)) else { continue };
                let word = [&word[..], &[*input]].concat();
                if one.1 != two.1 {
                    return Some(Difference { word, left: one.1.clone(), right: two.1.clone() });
                }
                if let Entry::Vacant(unseen) = seen.entry((one.0, two.0)) {
                    unseen.insert(word);
                    waiting.push_back((one.0, two.0));
                }
            }
        }
        None
    }
}

impl<I: Copy + Eq + Display, O: Clone + Eq + Display> Mealy<I, O> {
    /// Returns the machine as a graph in the language of Graphviz: `dot -Tsvg`.
    ///
    /// Inputs with the same output and the same next state share an arrow.
    pub fn to_dot(&self) -> String {
        let mut text = String::from("digraph {\n    rankdir=LR\n    node [shape=circle]\n");
        for (state, row) in self.rows.iter().enumerate() {
            for Arrow { next, output, inputs } in arrows(&self.inputs, row) {
                let label = format!("{inputs} / {output}").replace('"', "\\\"");
                // Writing to a string cannot fail.
                let _ = writeln!(text, "    {state} -> {next} [label=\"{label}\"]");
            }
        }
        text + "}\n"
    }
}

/// The inputs of a state that have the same output and the same next state.
struct Arrow<'a, O> {
    next: usize,
    output: &'a O,
    inputs: String,
}

/// The arrows of a state, in the order of the inputs.
fn arrows<'a, I: Display, O: Eq>(inputs: &[I], row: &'a [(usize, O)]) -> Vec<Arrow<'a, O>> {
    let mut arrows: Vec<Arrow<'a, O>> = Vec::new();
    for (input, (next, output)) in inputs.iter().zip(row) {
        match arrows.iter_mut().find(|arrow| (arrow.next, arrow.output) == (*next, output)) {
            Some(arrow) => arrow.inputs.push_str(&format!(", {input}")),
            None => arrows.push(Arrow { next: *next, output, inputs: input.to_string() }),
        }
    }
    arrows
}

/// Writes a line for each state, output and next state, with the inputs: `3: FIN, RST / CLOSE 1002 → 7`.
impl<I: Copy + Eq + Display, O: Clone + Eq + Display> Display for Mealy<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (state, row) in self.rows.iter().enumerate() {
            for Arrow { next, output, inputs } in arrows(&self.inputs, row) {
                writeln!(f, "{state}: {inputs} / {output} → {next}")?;
            }
        }
        Ok(())
    }
}

impl<I: Display, O: Display> Display for Difference<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.word.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        write!(f, "after {word}: {} | {}", self.left, self.right)
    }
}
