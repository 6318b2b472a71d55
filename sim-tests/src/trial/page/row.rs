//! A row of a page: one trial, with a cell for each fault on each network.

use crate::support::fnv;
use crate::trial::network::TrialNetwork;
use crate::trial::report::{Failure, TrialReport};
use crate::trial::scenario::TrialScenario;
use crate::trial::settings::Trial;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fmt::{self, Debug};

/// How a trial, or a part of it, went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// Nothing was found.
    Holds,
    /// Only what is allowed and surprising was found ([`Trial::surprises`]).
    Surprising,
    /// Something was found.
    Broken,
}

impl Grade {
    /// Returns its name.
    pub fn id(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Surprising => "surprising",
            Self::Broken => "broken",
        }
    }
}

impl fmt::Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

/// One trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialRow {
    /// The name, such as that of the protocol.
    pub name: String,
    /// The question that the check asks.
    pub asks: String,
    /// The report.
    pub report: TrialReport,
    /// A cell for each fault on each network that was run.
    pub cells: Vec<TrialCell>,
}

impl TrialRow {
    /// Returns a hash of the row that is the same in every process and build, if Linux was not asked: its times are real.
    pub fn hash(&self) -> u64 {
        fnv(serde_json::to_string(self).unwrap_or_default().as_bytes())
    }

    /// Returns the worst grade of its cells.
    pub fn grade(&self) -> Grade {
        self.cells.iter().map(|cell| cell.grade).max().unwrap_or(Grade::Holds)
    }
}

/// All runs with one fault on one network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialCell {
    /// The id of the fault, or `undisturbed`.
    pub fault: String,
    /// The network.
    pub network: TrialNetwork,
    /// Number of runs.
    pub runs: usize,
    /// Number of runs in which something was found.
    pub found: usize,
    /// The grade.
    pub grade: Grade,
    /// What was found, each in one line.
    pub findings: Vec<String>,
    /// The run that is shown: the first in which the worst was found, or one from the middle.
    pub scenario: TrialScenario,
    /// That run as a ladder.
    pub ladder: String,
}

impl<C: Debug + 'static, S: Debug + 'static> Trial<C, S> {
    /// Runs all scenarios, and returns a row of a [`TrialPage`](super::TrialPage).
    pub fn row(&self, name: impl Into<String>, asks: impl Into<String>) -> TrialRow {
        self.row_of(self.run(), name, asks)
    }

    /// Returns the row of a report of this trial.
    pub(in crate::trial) fn row_of(
        &self,
        report: TrialReport,
        name: impl Into<String>,
        asks: impl Into<String>,
    ) -> TrialRow {
        let cells = groups(&report).into_iter().map(|group| self.cell(&report, group)).collect();
        TrialRow { name: name.into(), asks: asks.into(), report, cells }
    }

    fn cell(&self, report: &TrialReport, Group { fault, network, scenarios }: Group) -> TrialCell {
        let of = |failures: &[Failure]| -> Vec<(String, TrialScenario)> {
            let here = |scenario: &&TrialScenario| scenario.network == network && fault_of(scenario) == fault;
            let finding = |failure: &Failure| {
                failure.all.iter().filter(here).map(|one| (failure.finding.to_string(), *one)).collect::<Vec<_>>()
            };
            failures.iter().flat_map(finding).collect()
        };
        let (broken, surprising) = (of(&report.failures), of(&report.surprises));
        let grade = match (&broken[..], &surprising[..]) {
            ([_, ..], _) => Grade::Broken,
            ([], [_, ..]) => Grade::Surprising,
            ([], []) => Grade::Holds,
        };
        let found: Vec<_> = broken.into_iter().chain(surprising).collect();
        let scenario = found.first().map_or(scenarios[scenarios.len() / 2], |(_, scenario)| *scenario);
        let mut findings: Vec<String> = Vec::new();
        for (finding, _) in &found {
            if !findings.contains(finding) {
                findings.push(finding.clone());
            }
        }
        let mut runs_found: Vec<String> = found.iter().map(|(_, scenario)| scenario.to_string()).collect();
        runs_found.sort_unstable();
        runs_found.dedup();
        let ladder = self.run_with_details(scenario).ladder();
        TrialCell { fault, network, runs: scenarios.len(), found: runs_found.len(), grade, findings, scenario, ladder }
    }
}

struct Group {
    fault: String,
    network: TrialNetwork,
    scenarios: Vec<TrialScenario>,
}

/// The scenarios by their fault and network, in the order of the trial.
fn groups(report: &TrialReport) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut index = HashMap::new();
    for (scenario, _) in &report.hashes {
        let (fault, network) = (fault_of(scenario), scenario.network);
        let at = *index.entry((fault.clone(), network)).or_insert(groups.len());
        match groups.get_mut(at) {
            Some(group) => group.scenarios.push(*scenario),
            None => groups.push(Group { fault, network, scenarios: vec![*scenario] }),
        }
    }
    groups
}

fn fault_of(scenario: &TrialScenario) -> String {
    scenario.injection.map_or("undisturbed", |injection| injection.fault.id()).to_owned()
}
