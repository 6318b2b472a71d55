//! A scenario on all networks, and how it ended on each.

use crate::record::Record;
use crate::record::reported::Reported;
use crate::scenario::{Backend, Scenario};
use crate::support::ScenarioError;
use crate::support::parallel::parallel_map;
use crate::tcp::{TcpEvent, TcpState};
use echo_core::Role;
use std::collections::{BTreeMap, BTreeSet};

/// How a scenario ended on each network that can express it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// The scenario.
    pub scenario: Scenario,
    /// By network: how often each ending came. A simulator gives one, or one for each run of a race.
    pub endings: BTreeMap<Backend, BTreeMap<String, usize>>,
    /// The same for the TCP states of both sockets, on the networks that have packets.
    pub states: BTreeMap<Backend, BTreeMap<String, usize>>,
}

impl Comparison {
    /// Compares the records of the kernel with those of the simulators, which are run here. `linux` holds the records of
    /// each scenario, in the order of `scenarios`.
    ///
    /// # Errors
    /// A simulator fails, with the scenario.
    pub fn all(scenarios: &[Scenario], linux: &[&[Record]]) -> Result<Vec<Self>, ScenarioError> {
        parallel_map(scenarios.len(), |index| Self::of(&scenarios[index], linux[index])).into_iter().collect()
    }

    fn of(scenario: &Scenario, linux: &[Record]) -> Result<Self, ScenarioError> {
        let mut comparison = Self { scenario: scenario.clone(), endings: BTreeMap::new(), states: BTreeMap::new() };
        for backend in Backend::SIMULATORS {
            for run in scenario.runs().iter().filter(|run| backend.expresses(run).is_ok()) {
                comparison.count(&backend.run(run)?);
            }
        }
        linux.iter().for_each(|record| comparison.count(record));
        Ok(comparison)
    }

    fn count(&mut self, record: &Record) {
        let endings = self.endings.entry(record.backend).or_default();
        *endings.entry(ending(record)).or_default() += 1;
        if !record.packets.is_empty() {
            let states = self.states.entry(record.backend).or_default();
            *states.entry(states_of(record)).or_default() += 1;
        }
    }

    /// Returns the networks whose endings are not those of Linux.
    pub fn different(&self) -> BTreeSet<Backend> {
        let kinds = |backend| self.endings.get(&backend).map(|endings| endings.keys().collect::<Vec<_>>());
        let linux = kinds(Backend::Linux);
        let differs = |backend: &Backend| kinds(*backend).is_some_and(|kinds| Some(kinds) != linux);
        Backend::SIMULATORS.into_iter().filter(differs).collect()
    }
}

/// Returns how both ends ended, and what was never reached.
fn ending(record: &Record) -> String {
    let [client, server] = Role::BOTH.map(|role| Reported::of(&record.ending(role)));
    let unreached: String = record.unreached.iter().map(|what| format!("; never reached: {what}")).collect();
    format!("client {client}, server {server}{unreached}")
}

/// Returns the states of both sockets after ESTABLISHED, up to TIME-WAIT.
fn states_of(record: &Record) -> String {
    let of = |side: Role| {
        let mut states: Vec<TcpState> = Vec::new();
        for moment in &record.packets {
            if let TcpEvent::Changed { side: whose, from, to, .. } = &moment.event
                && *whose == side
                && !matches!(from, TcpState::TimeWait | TcpState::Closed | TcpState::Listen)
                && !matches!(to, TcpState::Established | TcpState::Listen)
            {
                states.push(*to);
            }
        }
        let names: Vec<&str> = states.iter().map(|state| state.name()).collect();
        format!("{} {}", side.name(), names.join(" "))
    };
    Role::BOTH.map(of).join("; ")
}
