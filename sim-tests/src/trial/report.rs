//! What a trial found.

use super::scenario::{TrialNetwork, TrialScenario};
use std::collections::BTreeSet;
use std::fmt;

/// What stands before an id in the line that says how to see a run again.
pub(super) const HOW_TO_REPLAY: &str = "trial.replay";

/// What is wrong with a run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Finding {
    /// Of which kind.
    pub kind: FindingKind,
    /// In one line.
    pub what: String,
}

/// A kind of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum FindingKind {
    /// The user's check said no.
    Check,
    /// A side, or the check, panicked.
    Panic,
    /// A side had not returned when the budget was used up.
    NeverEnds,
    /// A side returned, and left its stream open.
    Leak,
    /// Undisturbed, TIME_WAIT was not held by whom the policy names.
    TimeWait,
    /// The same scenario gave another run.
    NotDeterministic,
    /// A fault never struck, though its I/O event was there in the undisturbed run.
    Unreached,
}

impl FindingKind {
    /// Its name.
    pub fn id(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Panic => "panic",
            Self::NeverEnds => "never ends",
            Self::Leak => "leak",
            Self::TimeWait => "TIME_WAIT",
            Self::NotDeterministic => "not deterministic",
            Self::Unreached => "unreached",
        }
    }
}

/// One kind of failure: what is the same but for numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Failure {
    /// What is wrong, in the shortest run of all that show it.
    pub finding: Finding,
    /// That run's scenario.
    pub scenario: TrialScenario,
    /// That run.
    pub ladder: String,
    /// Every scenario that shows it, in the order of the trial.
    pub all: Vec<TrialScenario>,
    /// How long the shortest is.
    length: usize,
}

impl Failure {
    /// The networks on which it happens.
    pub fn networks(&self) -> BTreeSet<TrialNetwork> {
        self.all.iter().map(|scenario| scenario.network).collect()
    }
}

/// What a trial found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct TrialReport {
    /// How many scenarios were run.
    pub runs: usize,
    /// How many of them differ in the order of what happened, times aside.
    pub distinct: usize,
    /// How many cannot be: a fault of the stream, after the stream was dropped.
    pub excluded: usize,
    /// What is wrong, one for each kind of failure.
    pub failures: Vec<Failure>,
    /// Every scenario with the hash of its run, to be compared with another process.
    pub hashes: Vec<(TrialScenario, u64)>,
}

impl TrialReport {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.failures.is_empty()
    }

    /// The failures of one kind.
    pub fn of(&self, kind: FindingKind) -> impl Iterator<Item = &Failure> {
        self.failures.iter().filter(move |failure| failure.finding.kind == kind)
    }

    /// Takes what is wrong with a run of so many lines.
    pub(super) fn add(
        &mut self,
        finding: Finding,
        scenario: TrialScenario,
        length: usize,
        ladder: impl FnOnce() -> String,
    ) {
        let same = |failure: &&mut Failure| is_alike(&failure.finding, &finding);
        let Some(failure) = self.failures.iter_mut().find(same) else {
            let all = vec![scenario];
            return self.failures.push(Failure { finding, scenario, ladder: ladder(), all, length });
        };
        failure.all.push(scenario);
        if length < failure.length {
            failure.finding = finding;
            failure.scenario = scenario;
            failure.ladder = ladder();
            failure.length = length;
        }
    }
}

/// Whether two findings differ in numbers at most. What is not deterministic is never twice the same.
fn is_alike(one: &Finding, other: &Finding) -> bool {
    if one.kind == FindingKind::NotDeterministic {
        return other.kind == one.kind;
    }
    let words = |finding: &Finding| {
        let parts = finding.what.split(|input: char| input.is_ascii_digit());
        parts.filter(|part| !part.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    one.kind == other.kind && words(one) == words(other)
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.id(), self.what)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let networks: Vec<_> = self.networks().into_iter().map(TrialNetwork::id).collect();
        writeln!(f, "{}", self.finding)?;
        writeln!(f, "runs: {}, on {}; the shortest:\n", self.all.len(), networks.join(", "))?;
        for line in self.ladder.lines() {
            writeln!(f, "    {line}")?;
        }
        write!(f, "\nreplay: {HOW_TO_REPLAY}(\"{}\")", self.scenario)
    }
}

impl fmt::Display for TrialReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { runs, distinct, excluded, failures, .. } = self;
        let count = failures.len();
        writeln!(
            f,
            "runs: {runs} ({distinct} distinct, {excluded} left out: they cannot be); kinds of failure: {count}"
        )?;
        for failure in failures {
            writeln!(f, "\n{failure}")?;
        }
        Ok(())
    }
}
