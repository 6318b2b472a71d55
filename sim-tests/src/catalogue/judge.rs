//! The judge: a record against the contract, and against what the oracle expects of its sequence.

use super::{Sequence, of_run};
use crate::invariants::{Breach, check};
use crate::network::Rst;
use crate::oracle::{self, Expectation, Report};
use crate::record::Record;
use echo_core::Role;
use std::fmt;

/// What is wrong with a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A promise of the contract is broken.
    Breach(Breach),
    /// The ends came out of it in a way that the oracle does not allow.
    Unexpected {
        /// What the client reports.
        client: Report,
        /// What the server reports.
        server: Report,
        /// What is allowed, in words.
        allowed: Vec<String>,
    },
    /// A part of the scenario did not happen, and should have.
    Unreached(String),
}

impl fmt::Display for Fault {
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

/// Judges `record`: the contract always, and what the oracle expects if it is a run of a sequence of the catalogue, or
/// has packets.
pub fn judge(record: &Record) -> Vec<Fault> {
    match of_run(&record.scenario) {
        Some(sequence) => sequence.judge(record),
        None => {
            let breaches = check(record).into_iter().map(Fault::Breach);
            let is_of_packets = record.scenario.network.has_packets();
            let expectation = is_of_packets.then(|| oracle::expect_of_packets(&record.scenario)).flatten();
            breaches.chain(expectation.and_then(|expectation| unexpected(&expectation, record))).collect()
        }
    }
}

/// What is wrong with the ends, if they are not among those that are expected.
fn unexpected(expectation: &Expectation, record: &Record) -> Option<Fault> {
    if expectation.allows(record) {
        return None;
    }
    let [client, server] = [Role::Client, Role::Server].map(|role| Report::of(&record.ending(role)));
    let allowed = expectation.members.iter().map(ToString::to_string).collect();
    Some(Fault::Unexpected { client, server, allowed })
}

impl Sequence {
    /// Judges the record of one of its runs.
    pub fn judge(&self, record: &Record) -> Vec<Fault> {
        let mut faults: Vec<Fault> = check(record).into_iter().map(Fault::Breach).collect();
        faults.extend(unexpected(&self.expectation, record));
        // Where a race may go either way, a step may have its moment in one run only.
        if self.scenario.network.rst != Rst::Races {
            faults.extend(record.unreached.iter().cloned().map(Fault::Unreached));
        }
        faults
    }
}
