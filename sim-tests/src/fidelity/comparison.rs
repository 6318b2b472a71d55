//! A scenario on all networks: how it ended on each, and the TCP states.

use crate::record::Record;
use crate::record::reported::Reported;
use crate::scenario::{Backend, Scenario};
use crate::support::ScenarioError;
use crate::support::parallel::parallel_map;
use crate::tcp::{TcpEvent, TcpState};
use echo_core::Role;
use std::collections::BTreeMap;

/// How often each of several results came.
pub type Distribution = BTreeMap<String, usize>;

/// What a scenario came to on each network that can express it. A simulator has one result, or one for each run of a
/// race; Linux has one for each try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// The scenario.
    pub scenario: Scenario,
    /// How both ends ended, and what was never reached.
    pub endings: BTreeMap<Backend, Distribution>,
    /// The TCP states of both sockets after ESTABLISHED, on the networks that have packets. They end with TIME-WAIT, or
    /// where the record ends.
    pub states: BTreeMap<Backend, Distribution>,
}

impl Comparison {
    /// Compares the records of Linux with those of the simulators, which are run here. `linux` holds the records of each
    /// scenario, in the order of `scenarios`. Calls `done` after each.
    ///
    /// # Errors
    /// A simulator fails, with the scenario.
    pub fn all(
        scenarios: &[Scenario],
        linux: &[&[Record]],
        done: impl Fn() + Sync,
    ) -> Result<Vec<Self>, ScenarioError> {
        let one = |index: usize| {
            let comparison = Self::of(&scenarios[index], linux[index]);
            done();
            comparison
        };
        parallel_map(scenarios.len(), one).into_iter().collect()
    }

    fn of(scenario: &Scenario, linux: &[Record]) -> Result<Self, ScenarioError> {
        let mut comparison = Self { scenario: scenario.clone(), endings: BTreeMap::new(), states: BTreeMap::new() };
        for backend in Backend::SIMULATORS {
            for run in scenario.runs().iter().filter(|run| backend.expresses(run).is_ok()) {
                comparison.count(&backend.run(run)?);
            }
        }
        comparison.add(linux);
        Ok(comparison)
    }

    /// Adds further records of Linux.
    pub fn add(&mut self, linux: &[Record]) {
        linux.iter().for_each(|record| self.count(record));
    }

    fn count(&mut self, record: &Record) {
        let endings = self.endings.entry(record.backend).or_default();
        *endings.entry(ending(record)).or_default() += 1;
        if !record.packets.is_empty() {
            let states = self.states.entry(record.backend).or_default();
            *states.entry(states_of(record)).or_default() += 1;
        }
    }

    /// Returns the simulators whose endings are not the one that Linux has in most tries.
    pub fn different(&self) -> Vec<Backend> {
        let usual = self.endings.get(&Backend::Linux).and_then(most);
        let differs = |backend: &Backend| {
            self.endings.get(backend).is_some_and(|endings| endings.keys().any(|ending| Some(ending) != usual))
        };
        Backend::SIMULATORS.into_iter().filter(differs).collect()
    }

    /// Returns the states of the packet network and of Linux, each as in [`Comparison::states`], for each side for which
    /// they differ.
    pub fn different_states(&self) -> Vec<[String; 2]> {
        let usual = |backend| self.states.get(&backend).and_then(most);
        let (Some(packet), Some(linux)) = (usual(Backend::Packet), usual(Backend::Linux)) else { return Vec::new() };
        let sides = packet.split("; ").zip(linux.split("; "));
        let pairs = sides.map(|(packet, linux)| [packet, linux].map(without_side));
        pairs.filter(|[packet, linux]| !is_same(packet, linux)).map(|pair| pair.map(str::to_owned)).collect()
    }

    /// Returns the endings of Linux, if there are several.
    pub fn varying(&self) -> Option<&Distribution> {
        self.endings.get(&Backend::Linux).filter(|endings| endings.len() > 1)
    }
}

/// Returns the most frequent result; of several, the first.
fn most(results: &Distribution) -> Option<&String> {
    results.iter().max_by_key(|(text, count)| (**count, std::cmp::Reverse(*text))).map(|(text, _)| text)
}

fn without_side(states: &str) -> &str {
    states.split_once(": ").map_or(states, |(_, states)| states)
}

/// Returns whether the states are the same, as far as a record of Linux shows them: it ends soon after the programs,
/// and the kernel keeps the sockets of programs that have ended for up to two minutes.
fn is_same(packet: &str, linux: &str) -> bool {
    let is_kept = ["FIN-WAIT-1", "FIN-WAIT-2", "CLOSING", "LAST-ACK"].iter().any(|state| linux.ends_with(state));
    packet == linux || is_kept && packet.strip_prefix(linux).is_some_and(|rest| rest.starts_with(", "))
}

/// Returns how both ends ended, and what was never reached.
fn ending(record: &Record) -> String {
    let [client, server] = Role::BOTH.map(|role| Reported::of(&record.ending(role)));
    let unreached: String = record.unreached.iter().map(|what| format!("; never reached: {what}")).collect();
    format!("client {client}, server {server}{unreached}")
}

fn states_of(record: &Record) -> String {
    let of = |side: Role| {
        let entered = |event: &TcpEvent| match event {
            TcpEvent::Changed { side: whose, from, to, .. } if *whose == side => {
                // Before, and after the last state that is compared.
                let is_open = matches!(from, TcpState::TimeWait | TcpState::Closed | TcpState::Listen)
                    || matches!(to, TcpState::SynReceived | TcpState::Established | TcpState::Listen);
                if is_open { None } else { Some(to.name()) }
            }
            TcpEvent::Changed { .. } | TcpEvent::Sent { .. } | TcpEvent::Arrived { .. } => None,
        };
        let states: Vec<&str> = record.packets.iter().filter_map(|moment| entered(&moment.event)).collect();
        format!("{}: {}", side.name(), states.join(", "))
    };
    Role::BOTH.map(of).join("; ")
}
