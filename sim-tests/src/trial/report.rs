//! The report of a trial.

use super::network::TrialNetwork;
use super::scenario::TrialScenario;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The call that replays a run, in the text of a report.
pub(super) const HOW_TO_REPLAY: &str = "trial.replay";

/// Why two runs of one scenario differ, mostly.
const USUAL_REASONS: &str = "the usual reasons: select! that is not biased, Instant::now or SystemTime, the order of a HashMap \
                             or HashSet, sizes that are random, FuturesUnordered, spawn_blocking or threads";

/// One thing that is wrong with a run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Finding {
    /// The kind of finding.
    pub kind: FindingKind,
    /// The finding in one line.
    pub what: String,
}

/// A kind of finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum FindingKind {
    /// The user's check returned an error.
    Check,
    /// What is allowed and surprising ([`Trial::surprises`](super::Trial::surprises)). It is no failure.
    Surprise,
    /// A side, a task of it or the check panicked.
    Panic,
    /// A side had not returned when the time or the number of I/O events was used up.
    NeverEnds,
    /// A side returned without closing its stream.
    Leak,
    /// A side returned, and a task that it has spawned does not end.
    Task,
    /// Without a fault, another side holds TIME_WAIT than the [`TimeWait`](super::TimeWait) policy names.
    TimeWait,
    /// The same scenario gave a different run.
    NotDeterministic,
    /// What has to be noted in at least one run ([`Trial::must_happen`](super::Trial::must_happen)) never was. The run that is
    /// shown is the first.
    NeverHappened,
    /// A fault was never injected, although its I/O event was there in the undisturbed run: runs differ. A failure only
    /// with [`Trial::strict`](super::Trial::strict); see [`TrialReport::unreached`].
    Unreached,
}

impl FindingKind {
    /// Returns the name of this kind.
    pub fn id(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Surprise => "surprise",
            Self::Panic => "panic",
            Self::NeverEnds => "never ends",
            Self::Leak => "leak",
            Self::Task => "task",
            Self::TimeWait => "TIME_WAIT",
            Self::NotDeterministic => "not deterministic",
            Self::NeverHappened => "never happened",
            Self::Unreached => "unreached",
        }
    }
}

/// Findings that are the same except for numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Failure {
    /// The finding of the shortest run.
    pub finding: Finding,
    /// The scenario of the shortest run.
    pub scenario: TrialScenario,
    /// The ladder of the shortest run.
    pub ladder: String,
    /// All scenarios with this finding, in the order of the trial.
    pub all: Vec<TrialScenario>,
    /// What Linux says about it, if it was asked (`Trial::confirm_on_linux`, with the feature `linux`).
    pub on_linux: Option<OnLinux>,
    /// Number of entries in the log of the shortest run.
    length: usize,
}

impl Failure {
    /// Returns the networks on which it happens.
    pub fn networks(&self) -> BTreeSet<TrialNetwork> {
        self.all.iter().map(|scenario| scenario.network).collect()
    }
}

/// What Linux says about a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum OnLinux {
    /// The same is found there.
    Confirmed {
        /// The scenario, one of the finding's.
        scenario: TrialScenario,
        /// Its run on Linux as a ladder; the times are real.
        ladder: String,
    },
    /// It is not found there.
    NotConfirmed {
        /// The scenario, one of the finding's.
        scenario: TrialScenario,
        /// Its run on Linux as a ladder; the times are real.
        ladder: String,
    },
    /// Linux cannot run any scenario of the finding; with the reason.
    NotExpressible(String),
    /// It could not be tried; with the reason, such as a machine that does not allow namespaces.
    NotTried(String),
}

/// The result of a trial.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct TrialReport {
    /// Number of runs, one for each scenario.
    pub runs: usize,
    /// Number of runs that differ in the order of events; times are ignored.
    pub distinct: usize,
    /// Number of scenarios left out: a fault of the stream after the stream was dropped.
    pub excluded: usize,
    /// Number of runs in which the I/O event of the fault never came. They happen to programs whose messages have sizes
    /// that vary, with the signatures of TLS for example.
    pub unreached: usize,
    /// One entry for each kind of failure.
    pub failures: Vec<Failure>,
    /// What is allowed and surprising ([`Trial::surprises`](super::Trial::surprises)), one entry for each kind.
    pub surprises: Vec<Failure>,
    /// What of [`Trial::must_happen`](super::Trial::must_happen) was noted.
    pub noted: BTreeSet<String>,
    /// How often the two sides ended in each way, by what they returned: `client Ok(#), server Err(Os { code: #, …`. Numbers
    /// are `#`, and what is long is cut. A check that never saw a failure, or never a success, has checked little.
    pub endings: BTreeMap<String, usize>,
    /// Each scenario with the hash of its run, to compare with another process.
    pub hashes: Vec<(TrialScenario, u64)>,
}

impl TrialReport {
    /// Returns whether there are no failures.
    pub fn is_clean(&self) -> bool {
        self.failures.is_empty()
    }

    /// Returns the failures of one kind.
    pub fn of(&self, kind: FindingKind) -> impl Iterator<Item = &Failure> {
        self.failures.iter().filter(move |failure| failure.finding.kind == kind)
    }

    /// Failures and surprises.
    pub(super) fn found(&self) -> impl Iterator<Item = &Failure> {
        self.failures.iter().chain(&self.surprises)
    }

    /// Failures and surprises.
    #[cfg(all(feature = "linux", target_os = "linux"))]
    pub(super) fn found_mut(&mut self) -> impl Iterator<Item = &mut Failure> {
        self.failures.iter_mut().chain(&mut self.surprises)
    }

    /// Adds a finding of a run whose log has `length` entries.
    pub(super) fn add(
        &mut self,
        finding: Finding,
        scenario: TrialScenario,
        length: usize,
        ladder: impl FnOnce() -> String,
    ) {
        let same = |failure: &&mut Failure| is_alike(&failure.finding, &finding);
        let failures = if finding.kind == FindingKind::Surprise { &mut self.surprises } else { &mut self.failures };
        let Some(failure) = failures.iter_mut().find(same) else {
            let all = vec![scenario];
            return failures.push(Failure { finding, scenario, ladder: ladder(), all, on_linux: None, length });
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

/// Whether two findings differ only in numbers. Findings of [`FindingKind::NotDeterministic`] always count as equal.
pub(super) fn is_alike(one: &Finding, other: &Finding) -> bool {
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

impl fmt::Display for OnLinux {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Confirmed { scenario, .. } => write!(f, "confirmed ({scenario})"),
            Self::NotConfirmed { scenario, .. } => write!(f, "not confirmed ({scenario})"),
            Self::NotExpressible(why) => write!(f, "not expressible: {why}"),
            Self::NotTried(why) => write!(f, "NOT TRIED: {why}"),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut networks: Vec<String> = Vec::new();
        for network in self.all.iter().map(|scenario| scenario.network.to_string()) {
            if !networks.contains(&network) {
                networks.push(network);
            }
        }
        writeln!(f, "{}", self.finding)?;
        if self.finding.kind == FindingKind::NotDeterministic {
            writeln!(f, "{USUAL_REASONS}")?;
        }
        writeln!(f, "runs: {}, on {}; the shortest:\n", self.all.len(), networks.join(", "))?;
        for line in self.ladder.lines() {
            writeln!(f, "    {line}")?;
        }
        write!(f, "\nreplay: {HOW_TO_REPLAY}(\"{}\")", self.scenario)?;
        if let Some(on_linux) = &self.on_linux {
            write!(f, "\non Linux: {on_linux}")?;
        }
        Ok(())
    }
}

impl fmt::Display for TrialReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { runs, distinct, excluded, unreached, failures, surprises, .. } = self;
        write!(f, "runs: {runs} ({distinct} distinct, {excluded} left out: they cannot be")?;
        if *unreached > 0 {
            write!(f, ", {unreached} without their fault: its I/O event never came")?;
        }
        write!(f, "); kinds of failure: {}", failures.len())?;
        if !surprises.is_empty() {
            write!(f, ", of surprise: {}", surprises.len())?;
        }
        writeln!(f)?;
        for failure in self.found() {
            writeln!(f, "\n{failure}")?;
        }
        Ok(())
    }
}
