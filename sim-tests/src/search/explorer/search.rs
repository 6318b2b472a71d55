//! The search: visits every state once, depth first, and checks it.
//!
//! There are two reasons to search depth first. Only the states on the present path are stored completely, all others
//! as 128 bits. And a step that leads back to the path is a cycle, which is an infinite run. A search without a cycle
//! proves that every run ends, and the rule for states without a next step defines how.

use super::hash::{self, Identities, Low, identity};
use super::observations::Observations;
use super::rules::ExplorerBreach;
use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hash};

/// A model whose complete behaviour is explored. Its hash covers what decides the possible steps and the result of the
/// checks.
pub(super) trait Model: Clone + Hash {
    /// A possible step.
    type Step: Copy + PartialEq;

    /// Adds all steps that are possible now to `steps`.
    fn steps(&self, steps: &mut Vec<Self::Step>);

    /// Takes a step.
    fn apply(&mut self, step: Self::Step, notes: &mut Observations) -> Result<(), ExplorerBreach>;

    /// Checks the state. `steps` are the steps that are possible now.
    fn check(&self, steps: &[Self::Step], notes: &mut Observations) -> Result<(), ExplorerBreach>;

    /// Describes a step, before it is taken.
    fn describe(&self, step: Self::Step) -> String;

    /// Describes the state.
    fn show(&self) -> String;
}

/// The result of a search.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) states: u64,
    pub(super) transitions: u64,
    /// The number of states without a next step.
    pub(super) ends: u64,
    /// The number of steps of the longest run.
    pub(super) longest: usize,
    /// Whether all states were visited.
    pub(super) complete: bool,
    pub(super) notes: Observations,
    pub(super) counterexample: Option<(ExplorerBreach, Vec<String>)>,
}

/// A state on the present path.
struct Frame<M: Model> {
    identity: u128,
    /// The number of steps that are possible.
    steps: usize,
    /// The number of those that were taken.
    taken: usize,
    /// The steps whose result was not known when the state was reached, last first.
    next: Vec<Next<M>>,
}

/// A step, and what it leads to.
struct Next<M: Model> {
    /// The number of steps before it.
    before: usize,
    step: M::Step,
    result: Result<(M, u128), ExplorerBreach>,
}

/// Visits all states that can be reached from `first`, at most `most`. From time to time calls `progress` with their
/// number.
pub(super) fn search<M: Model>(first: &M, most: u64, progress: &mut dyn FnMut(u64)) -> Found {
    let mut found = Found::default();
    if let Err((breach, path)) = visit_all(first, most, progress, &mut found) {
        let (breach, path) = shortened(first, breach, path);
        found.counterexample = Some((breach, ladder(first, &path)));
    }
    found
}

/// The sets and lists of a search.
struct Visits<M: Model> {
    seen: Identities,
    on_path: HashSet<u128, BuildHasherDefault<Low>>,
    path: Vec<Frame<M>>,
    /// The steps on the path.
    taken: Vec<M::Step>,
    /// Lists that are filled again for each state.
    steps: Vec<M::Step>,
    results: Vec<Next<M>>,
    spare: Vec<Vec<Next<M>>>,
}

fn visit_all<M: Model>(
    first: &M,
    most: u64,
    progress: &mut dyn FnMut(u64),
    found: &mut Found,
) -> Result<(), (ExplorerBreach, Vec<M::Step>)> {
    let mut visits = Visits::new();
    let mut arrived = Some((first.clone(), identity(first)));
    visits.seen.insert(identity(first));
    loop {
        if let Some((state, identity)) = arrived.take() {
            found.states += 1;
            if found.states.is_multiple_of(1 << 16) {
                progress(found.states);
            }
            if found.states > most {
                return Ok(());
            }
            visits.arrive(&state, identity, found).map_err(|breach| (breach, visits.taken.clone()))?;
        }
        let Some(frame) = visits.path.last_mut() else { break };
        let Some(Next { before, step, result }) = frame.next.pop() else {
            found.transitions += (frame.steps - frame.taken) as u64;
            visits.leave();
            continue;
        };
        found.transitions += (before + 1 - frame.taken) as u64;
        frame.taken = before + 1;
        visits.taken.push(step);
        let (state, identity) = result.map_err(|breach| (breach, visits.taken.clone()))?;
        match visits.seen.insert(identity) {
            true => arrived = Some((state, identity)),
            false => drop(visits.taken.pop()),
        }
    }
    found.complete = true;
    Ok(())
}

impl<M: Model> Visits<M> {
    fn new() -> Self {
        Self {
            seen: Identities::default(),
            on_path: HashSet::default(),
            path: Vec::new(),
            taken: Vec::new(),
            steps: Vec::new(),
            results: Vec::new(),
            spare: Vec::new(),
        }
    }

    /// Checks a state, takes all steps from it, and adds it to the path with those that do not lead to a state seen
    /// before.
    ///
    /// The set of states is larger than any cache of the processor. It is asked for all results together, so that the
    /// processor waits for memory only once.
    fn arrive(&mut self, state: &M, identity: u128, found: &mut Found) -> Result<(), ExplorerBreach> {
        self.steps.clear();
        state.steps(&mut self.steps);
        state.check(&self.steps, &mut found.notes)?;
        found.ends += u64::from(self.steps.is_empty());
        found.longest = found.longest.max(self.path.len());
        self.on_path.insert(identity);
        for (before, step) in self.steps.iter().copied().enumerate() {
            let mut after = state.clone();
            let result = after.apply(step, &mut found.notes).map(|()| {
                let identity = hash::identity(&after);
                (after, identity)
            });
            self.results.push(Next { before, step, result });
        }
        self.seen.load(self.results.iter().filter_map(|next| next.result.as_ref().ok().map(|(_, identity)| *identity)));
        let mut next = self.spare.pop().unwrap_or_default();
        for mut after in self.results.drain(..).rev() {
            if let Ok((_, identity)) = &after.result
                && self.seen.contains(*identity)
            {
                if !self.on_path.contains(identity) {
                    continue;
                }
                after.result = Err(ExplorerBreach::cycle());
            }
            next.push(after);
        }
        self.path.push(Frame { identity, steps: self.steps.len(), taken: 0, next });
        Ok(())
    }

    /// Removes the last state from the path.
    fn leave(&mut self) {
        if let Some(Frame { identity, next, .. }) = self.path.pop() {
            self.on_path.remove(&identity);
            self.spare.push(next);
        }
        self.taken.pop();
    }
}

/// Removes every step that is not needed to break the same rule, with the steps that become impossible without it.
fn shortened<M: Model>(first: &M, breach: ExplorerBreach, path: Vec<M::Step>) -> (ExplorerBreach, Vec<M::Step>) {
    let (mut breach, mut path) = (breach, path);
    let mut at = 0;
    while at < path.len() {
        let mut shorter = path.clone();
        shorter.remove(at);
        match broken(first, &shorter).filter(|(other, _)| other.rule == breach.rule) {
            Some(found) => {
                (breach, path) = found;
                at = 0;
            }
            None => at += 1,
        }
    }
    (breach, path)
}

/// Returns the first breach on `path`, and the steps to it. Impossible steps are skipped.
fn broken<M: Model>(first: &M, path: &[M::Step]) -> Option<(ExplorerBreach, Vec<M::Step>)> {
    let mut notes = Observations::default();
    let mut state = first.clone();
    let mut been = vec![identity(first)];
    let mut taken = Vec::new();
    for step in path {
        if !steps_of(&state).contains(step) {
            continue;
        }
        taken.push(*step);
        let arrived = state.apply(*step, &mut notes).and_then(|()| state.check(&steps_of(&state), &mut notes));
        let identity = identity(&state);
        let cycle = if been.contains(&identity) { Err(ExplorerBreach::cycle()) } else { Ok(()) };
        if let Err(breach) = arrived.and(cycle) {
            return Some((breach, taken));
        }
        been.push(identity);
    }
    None
}

fn steps_of<M: Model>(state: &M) -> Vec<M::Step> {
    let mut steps = Vec::new();
    state.steps(&mut steps);
    steps
}

/// Describes a path: each step, and the state after it.
fn ladder<M: Model>(first: &M, path: &[M::Step]) -> Vec<String> {
    let mut state = first.clone();
    let mut lines = vec![format!("{:<58} {}", "at the start", state.show())];
    for step in path {
        let description = state.describe(*step);
        // The last step causes the breach, so its error is expected.
        let _ = state.apply(*step, &mut Observations::default());
        lines.push(format!("{description:<58} {}", state.show()));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::super::rules::{ExplorerRule, ensure};
    use super::*;

    /// Counts to ten in steps of one and three. If it `turns`, it then continues in a circle. A count over `most` is a
    /// breach. Before each count it may make noise, which changes nothing.
    #[derive(Clone, Hash)]
    struct Counter {
        at: u8,
        noise: u8,
        turns: bool,
        most: u8,
    }

    const NOISE: u8 = 100;

    impl Model for Counter {
        type Step = u8;

        fn steps(&self, steps: &mut Vec<u8>) {
            match self.at {
                0..10 if self.noise > 0 => steps.extend([NOISE, 1, 3]),
                0..10 => steps.extend([1, 3]),
                _ if self.turns => steps.push(0),
                _ => (),
            }
        }

        fn apply(&mut self, step: u8, _: &mut Observations) -> Result<(), ExplorerBreach> {
            match step {
                NOISE => self.noise -= 1,
                0 => self.at = 5,
                _ => self.at += step,
            }
            Ok(())
        }

        fn check(&self, _: &[u8], _: &mut Observations) -> Result<(), ExplorerBreach> {
            ensure(self.at <= self.most, ExplorerRule::Counts, || format!("{} is over {}", self.at, self.most))
        }

        fn describe(&self, step: u8) -> String {
            format!("+{step}")
        }

        fn show(&self) -> String {
            self.at.to_string()
        }
    }

    fn found(turns: bool, most: u8, limit: u64) -> Found {
        search(&Counter { at: 0, noise: 0, turns, most }, limit, &mut |_| ())
    }

    #[test]
    fn every_state_once() {
        let found = found(false, 12, 1000);
        assert!(found.complete && found.counterexample.is_none());
        assert_eq!((found.states, found.transitions, found.ends, found.longest), (13, 20, 3, 10));
    }

    #[test]
    fn a_limit_is_told() {
        assert!(!found(false, 12, 12).complete);
        assert!(found(false, 12, 13).complete);
    }

    #[test]
    fn a_cycle_is_found() {
        let (breach, ladder) = found(true, 12, 1000).counterexample.expect("from ten back to five");
        assert_eq!((breach, ladder.len()), (ExplorerBreach::cycle(), 1 + 10 + 1), "{ladder:?}");
    }

    /// The first counterexample has noise and small steps. The ladder has no step that could be left out.
    #[test]
    fn a_counterexample_is_shortened() {
        let noisy = Counter { at: 0, noise: 4, turns: false, most: 11 };
        let (breach, ladder) = search(&noisy, 1000, &mut |_| ()).counterexample.expect("twelve is reached");
        assert_eq!((breach.rule, breach.what.as_str()), (ExplorerRule::Counts, "12 is over 11"));
        assert_eq!(ladder.len(), 1 + 10, "{ladder:?}");
        assert!(ladder.iter().all(|line| !line.starts_with("+100")), "{ladder:?}");
    }
}
