//! The differences between two baselines, grouped by kind.

use super::{Baseline, BaselineRun};
use crate::support::difference::first_of;
use std::collections::BTreeMap;
use std::fmt;

/// The first event that differs: its position, the old and the new text.
type Event = (usize, String, String);

/// The differences between two baselines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// The kinds of change, the most frequent first.
    pub changes: Vec<Change>,
    /// The number of runs that only the new baseline has.
    pub added: usize,
    /// The number of runs that only the old baseline has.
    pub removed: usize,
}

/// A kind of change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// How the endings changed, as text.
    pub endings: String,
    /// The runs, as the arguments that replay them.
    pub runs: Vec<String>,
    /// The first event that differs in the first of these runs: its position, the old and the new text.
    pub event: (usize, String, String),
    /// The number of these runs whose first different event is the same, at any position.
    pub alike: usize,
}

impl Diff {
    /// Compares two baselines.
    pub fn new(old: &Baseline, new: &Baseline) -> Self {
        let mut kinds: BTreeMap<String, Vec<(&String, Event)>> = BTreeMap::new();
        for (replay, before) in &old.runs {
            let Some(after) = new.runs.get(replay).filter(|after| *after != before) else { continue };
            kinds.entry(endings(before, after)).or_default().push((replay, first_event(before, after)));
        }
        let mut changes: Vec<Change> = kinds.into_iter().filter_map(|(endings, runs)| change(endings, &runs)).collect();
        changes.sort_by_key(|change| std::cmp::Reverse(change.runs.len()));
        let missing =
            |one: &Baseline, other: &Baseline| one.runs.keys().filter(|run| !other.runs.contains_key(*run)).count();
        Self { changes, added: missing(new, old), removed: missing(old, new) }
    }

    /// Returns whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.added == 0 && self.removed == 0
    }
}

fn change(endings: String, runs: &[(&String, Event)]) -> Option<Change> {
    let (_, event) = runs.first()?;
    let alike = runs.iter().filter(|(_, (_, old, new))| (old, new) == (&event.1, &event.2)).count();
    let event = event.clone();
    Some(Change { endings, event, alike, runs: runs.iter().map(|(replay, _)| (*replay).clone()).collect() })
}

/// Describes how the endings changed. The account is shown only where the outcome is the same.
fn endings(old: &BaselineRun, new: &BaselineRun) -> String {
    let outcome = |report: &str| report.split(" (").next().unwrap_or_default().to_owned();
    let side = |name: &str, old: &str, new: &str| match (outcome(old), outcome(new)) {
        (before, after) if before != after => Some(format!("{name} {before} → {after}")),
        (_, _) if old != new => Some(format!("{name} {old} → {new}")),
        (_, _) => None,
    };
    let sides = [side("client", &old.client, &new.client), side("server", &old.server, &new.server)];
    let sides: Vec<String> = sides.into_iter().flatten().collect();
    if sides.is_empty() { "other events, the same endings".to_owned() } else { sides.join(", ") }
}

fn first_event<'a>(old: &'a BaselineRun, new: &'a BaselineRun) -> Event {
    let events = |line: &'a BaselineRun| line.events.iter().map(String::as_str);
    let event = |event: Option<&str>| event.unwrap_or("nothing").to_owned();
    let (at, before, after) = first_of(events(old), events(new)).unwrap_or((old.events.len() + 1, None, None));
    (at, event(before), event(after))
}

impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("no difference\n");
        }
        for Change { endings, runs, event: (at, old, new), alike } in &self.changes {
            writeln!(f, "{} runs: {endings}", runs.len())?;
            writeln!(f, "    first differing event (in {alike} of them): {old:?} became {new:?}")?;
            if let Some(replay) = runs.first() {
                writeln!(f, "    an example, from event {at} on: echo-sim replay {replay}")?;
            }
        }
        writeln!(f, "{} runs added, {} removed", self.added, self.removed)
    }
}
