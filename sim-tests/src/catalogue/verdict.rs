//! The verdict on a run: checks a record against the contract, and against the oracle's expectation for its sequence.

use super::{Sequence, of_run};
use crate::check::contract::check;
use crate::check::contract_rule::ContractBreach;
use crate::check::oracle::{self, Expectation, Reported};
use crate::record::Record;
use crate::scenario::Scenario;
use crate::scenario::network::{NetworkFault, Rst};
use crate::tcp::PacketFate;
use echo_core::Role;
use std::fmt;

/// A problem of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// A rule of the contract is broken.
    Breach(ContractBreach),
    /// The oracle does not allow this ending.
    Unexpected {
        /// The client's report.
        client: Reported,
        /// The server's report.
        server: Reported,
        /// The allowed endings, as texts.
        allowed: Vec<String>,
    },
    /// A part of the scenario did not happen, but should have.
    Unreached(String),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Breach(breach) => breach.fmt(f),
            Self::Unexpected { client, server, allowed } => {
                write!(f, "outcome: client {client}, server {server}; allowed: {}", allowed.join("; or "))
            }
            Self::Unreached(part) => write!(f, "{part} was never reached"),
        }
    }
}

/// Checks `record` against the contract. If it is a run of a sequence of the catalogue, or has packets, it is also
/// checked against the oracle.
pub fn check_run(record: &Record) -> Vec<Problem> {
    match of_run(&record.scenario) {
        Some(sequence) => sequence.judge(record),
        None => {
            let breaches = check(record).into_iter().map(Problem::Breach);
            let binds = record.scenario.network.has_packets() && !is_lost_for_good(&record.scenario);
            let expectation = binds.then(|| oracle::expect_of_packets(&record.scenario)).flatten();
            breaches.chain(expectation.and_then(|expectation| unexpected(&expectation, record))).collect()
        }
    }
}

/// Returns whether data that is lost or waits for a window may never be sent. A program that is gone sends nothing
/// again, and after a RST or a half-close below the protocol no data is awaited. Then the contract alone applies.
fn is_lost_for_good(scenario: &Scenario) -> bool {
    let is_loss = |fault: &NetworkFault| match fault {
        NetworkFault::Packet { fate, .. } => !matches!(fate, PacketFate::Deliver | PacketFate::Twice(_)),
        NetworkFault::Loss { .. } => true,
        NetworkFault::Hold { .. } | NetworkFault::Cut { .. } => false,
    };
    let network = &scenario.network;
    let misbehaves = scenario.misbehaves(Role::Client) || scenario.misbehaves(Role::Server);
    misbehaves && (network.window > 0 || network.faults.iter().any(is_loss))
}

/// Returns the problem if `expectation` does not allow the ending.
fn unexpected(expectation: &Expectation, record: &Record) -> Option<Problem> {
    if expectation.allows(record) {
        return None;
    }
    let [client, server] = Role::BOTH.map(|role| Reported::of(&record.ending(role)));
    let allowed = expectation.allowed.iter().map(ToString::to_string).collect();
    Some(Problem::Unexpected { client, server, allowed })
}

impl Sequence {
    /// Checks the record of one of its runs.
    pub fn judge(&self, record: &Record) -> Vec<Problem> {
        let mut faults: Vec<Problem> = check(record).into_iter().map(Problem::Breach).collect();
        faults.extend(unexpected(&self.expectation, record));
        // In a race, a step may be reached in one of the two runs only.
        if self.scenario.network.rst != Rst::Races {
            faults.extend(record.unreached.iter().cloned().map(Problem::Unreached));
        }
        faults
    }
}
