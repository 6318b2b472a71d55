//! What an exploration found, for people and for tests.

use super::coverage::Coverage;
use super::observations::{Goal, Observations};
use super::rules::ExplorerBreach;
use super::setup::Setup;
use crate::support::pairs::Subject;
use std::fmt;

/// What one exploration found.
#[derive(Clone, Debug)]
pub struct Exploration {
    /// What was explored.
    pub setup: Setup,
    /// States visited, each once.
    pub states: u64,
    /// Steps taken, each once from each state in which it can be.
    pub transitions: u64,
    /// States in which nothing can happen any more.
    pub ends: u64,
    /// Steps of the longest run that was followed.
    pub longest: usize,
    /// Whether every state was visited: neither the limit nor a broken promise stopped the search.
    pub complete: bool,
    /// The first broken promise, and a run that breaks it.
    pub counterexample: Option<Counterexample>,
    pub(super) notes: Observations,
}

/// A broken promise and how to get there: no step of it can be left out by itself.
#[derive(Clone, Debug)]
pub struct Counterexample {
    /// What was broken.
    pub breach: ExplorerBreach,
    /// The run: a line for each step, with the state behind it.
    pub ladder: Vec<String>,
}

impl Exploration {
    /// Whether every state was visited and every promise held.
    pub fn holds(&self) -> bool {
        self.complete && self.counterexample.is_none()
    }

    /// What has to be possible and was seen to be.
    pub fn sights(&self) -> impl Iterator<Item = Goal> {
        self.notes.sights.iter().copied()
    }
}

impl fmt::Display for Exploration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { states, transitions, ends, longest, .. } = self;
        let name = self.setup.name;
        write!(f, "{name}: {states} states, {transitions} transitions, {ends} ends, {longest} steps at most")?;
        if let Some(Counterexample { breach, ladder }) = &self.counterexample {
            write!(f, "\nBROKEN {breach}")?;
            for line in ladder {
                write!(f, "\n    {line}")?;
            }
        } else if !self.complete {
            write!(f, "; STOPPED at the limit, not all states were visited")?;
        }
        Ok(())
    }
}

/// What several explorations reached together.
#[derive(Clone, Debug)]
pub struct Summary {
    /// States, over all of them.
    pub states: u64,
    /// Transitions, over all of them.
    pub transitions: u64,
    /// Whether each visited every state and broke no promise.
    pub holds: bool,
    /// How much of each table was reached.
    pub coverage: Vec<(Subject, Coverage)>,
    /// What has to be possible and was seen.
    pub seen: Vec<Goal>,
    /// What has to be possible and was not seen.
    pub unseen: Vec<Goal>,
}

impl Summary {
    /// That of `reports`.
    pub fn of(reports: &[Exploration]) -> Self {
        let mut notes = Observations::default();
        reports.iter().for_each(|report| notes.merge(&report.notes));
        let (seen, unseen) = Goal::all().partition(|sight| notes.sights.contains(sight));
        Self {
            states: reports.iter().map(|report| report.states).sum(),
            transitions: reports.iter().map(|report| report.transitions).sum(),
            holds: reports.iter().all(Exploration::holds),
            coverage: Subject::ALL.map(|subject| (subject, Coverage::of(subject, &notes))).into(),
            seen,
            unseen,
        }
    }

    /// Whether every promise held in every state, every pair that can be reached was, and nothing that has to be
    /// possible is not.
    pub fn is_good(&self) -> bool {
        let covered =
            self.coverage.iter().all(|(_, coverage)| coverage.missing.is_empty() && coverage.wrong.is_empty());
        self.holds && covered && self.unseen.is_empty()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.seen.len() + self.unseen.len();
        writeln!(f, "{} states, {} transitions in all", self.states, self.transitions)?;
        for (subject, coverage) in &self.coverage {
            writeln!(f, "{}: {coverage}", subject.name())?;
        }
        write!(f, "{} of {all} things that have to be possible were seen", self.seen.len())?;
        for sight in &self.unseen {
            write!(f, "\n    NOT SEEN: {sight}")?;
        }
        Ok(())
    }
}
