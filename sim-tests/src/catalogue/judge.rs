//! The judge: a record against the contract, and against what the oracle expects of its sequence.

use super::{Sequence, of_run};
use crate::invariants::{Breach, check};
use crate::network::Rst;
use crate::oracle::Report;
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

/// Judges `record`: the contract always, the expectation if it is a run of a sequence of the catalogue.
pub fn judge(record: &Record) -> Vec<Fault> {
    match of_run(&record.scenario) {
        Some(sequence) => sequence.judge(record),
        None => check(record).into_iter().map(Fault::Breach).collect(),
    }
}

impl Sequence {
    /// Judges the record of one of its runs.
    pub fn judge(&self, record: &Record) -> Vec<Fault> {
        let mut faults: Vec<Fault> = check(record).into_iter().map(Fault::Breach).collect();
        if !self.expectation.allows(record) {
            let [client, server] = [Role::Client, Role::Server].map(|role| Report::of(&record.ending(role)));
            let allowed = self.expectation.members.iter().map(ToString::to_string).collect();
            faults.push(Fault::Unexpected { client, server, allowed });
        }
        // Where a race may go either way, a step may have its moment in one run only.
        if self.scenario.network.rst != Rst::Races {
            faults.extend(record.unreached.iter().cloned().map(Fault::Unreached));
        }
        faults
    }
}
