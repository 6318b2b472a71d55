//! The search: visits every state once, depth first, and checks it.
//!
//! There are two reasons to search depth first. Only the states on the present path are stored completely, all others
//! as 128 bits. And a step that leads back to the path is a cycle, which is an infinite run. A search without a cycle
//! proves that every run ends, and the rule for states without a next step defines how.

use super::hash::{Identities, identity};
use super::observations::Observations;
use super::rules::ExplorerBreach;
use std::hash::Hash;

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

struct Frame<M: Model> {
    state: M,
    identity: u128,
    steps: Vec<M::Step>,
    next: usize,
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

fn visit_all<M: Model>(
    first: &M,
    most: u64,
    progress: &mut dyn FnMut(u64),
    found: &mut Found,
) -> Result<(), (ExplorerBreach, Vec<M::Step>)> {
    let mut seen = Identities::default();
    let mut on_path = Identities::default();
    let mut path: Vec<Frame<M>> = Vec::new();
    // The lists of steps of states that have left the path, to be filled again.
    let mut spare: Vec<Vec<M::Step>> = Vec::new();
    let taken = |path: &[Frame<M>]| path.iter().map(|frame| frame.steps[frame.next - 1]).collect::<Vec<_>>();
    let mut arrived = Some((first.clone(), identity(first)));
    seen.insert(identity(first));
    loop {
        if let Some((state, identity)) = arrived.take() {
            found.states += 1;
            if found.states.is_multiple_of(1 << 16) {
                progress(found.states);
            }
            if found.states > most {
                return Ok(());
            }
            let mut steps = spare.pop().unwrap_or_default();
            state.steps(&mut steps);
            state.check(&steps, &mut found.notes).map_err(|breach| (breach, taken(&path)))?;
            found.ends += u64::from(steps.is_empty());
            found.longest = found.longest.max(path.len());
            on_path.insert(identity);
            path.push(Frame { state, identity, steps, next: 0 });
        }
        let Some(frame) = path.last_mut() else { break };
        let Some(step) = frame.steps.get(frame.next).copied() else {
            on_path.remove(&frame.identity);
            if let Some(Frame { mut steps, .. }) = path.pop() {
                steps.clear();
                spare.push(steps);
            }
            continue;
        };
        frame.next += 1;
        found.transitions += 1;
        let mut state = frame.state.clone();
        state.apply(step, &mut found.notes).map_err(|breach| (breach, taken(&path)))?;
        let identity = identity(&state);
        if seen.insert(identity) {
            arrived = Some((state, identity));
        } else if on_path.contains(&identity) {
            return Err((ExplorerBreach::cycle(), taken(&path)));
        }
    }
    found.complete = true;
    Ok(())
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
