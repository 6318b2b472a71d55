//! The result of an exploration, for people and for tests.

use super::coverage::Coverage;
use super::observations::{Goal, Observations};
use super::rules::ExplorerBreach;
use super::setup::Setup;
use crate::support::pairs::Subject;
use std::fmt;

/// The result of one exploration.
#[derive(Clone, Debug)]
pub struct Exploration {
    /// The setup that was explored.
    pub setup: Setup,
    /// The number of states visited, each once.
    pub states: u64,
    /// The number of steps taken. Each step is taken once from each state in which it is possible.
    pub transitions: u64,
    /// The number of states without a next step.
    pub ends: u64,
    /// The number of steps of the longest run.
    pub longest: usize,
    /// Whether all states were visited, that is, neither the limit nor a breach stopped the search.
    pub complete: bool,
    /// The first breach, with a run that leads to it.
    pub counterexample: Option<Counterexample>,
    pub(super) notes: Observations,
}

/// A breach and a run that leads to it. No single step can be left out.
#[derive(Clone, Debug)]
pub struct Counterexample {
    /// The breach.
    pub breach: ExplorerBreach,
    /// The run: a line for each step, with the state after it.
    pub ladder: Vec<String>,
}

impl Exploration {
    /// Returns whether all states were visited without a breach.
    pub fn holds(&self) -> bool {
        self.complete && self.counterexample.is_none()
    }

    /// Returns the goals that were observed.
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

/// The results of several explorations together.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The number of states of all explorations.
    pub states: u64,
    /// The number of transitions of all explorations.
    pub transitions: u64,
    /// Whether each visited all states without a breach.
    pub holds: bool,
    /// The reached part of each table.
    pub coverage: Vec<(Subject, Coverage)>,
    /// The goals that were observed.
    pub seen: Vec<Goal>,
    /// The goals that were not observed.
    pub unseen: Vec<Goal>,
}

impl Summary {
    /// Returns the summary of `reports`.
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

    /// Returns whether there was no breach in any state, every reachable pair was reached, and every goal was observed.
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
        write!(f, "{} of {all} required events were seen", self.seen.len())?;
        for sight in &self.unseen {
            write!(f, "\n    NOT SEEN: {sight}")?;
        }
        Ok(())
    }
}
