//! What the oracle expects: the allowed endings, and the steps that are never reached.

use crate::record::Record;
use crate::record::reported::Reported;
use echo_core::Role;
use std::collections::BTreeSet;
use std::fmt;

/// One allowed way for both ends to end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AllowedEnding {
    /// The client's report.
    pub client: Reported,
    /// The server's report.
    pub server: Reported,
    /// The clauses of PROTOCOL.md that lead to it.
    pub clauses: BTreeSet<&'static str>,
}

/// What the oracle expects of a scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expectation {
    /// The allowed endings, in the order of [`Scenario::runs`](crate::Scenario::runs). No two have the same reports.
    pub allowed: Vec<AllowedEnding>,
    /// Steps that are not reached in any run, written as in [`Record::unreached`].
    pub unreached: BTreeSet<String>,
    /// Whether a RST race or a relay changes nothing.
    pub is_unchanged: bool,
    /// Whether a side is asked to close after its ending has begun, which has no effect.
    pub asked_again: bool,
    /// A hash of what both ends send and receive, in order.
    pub order: u64,
}

impl AllowedEnding {
    /// Returns the report of `role`.
    pub fn report(&self, role: Role) -> Reported {
        match role {
            Role::Client => self.client,
            Role::Server => self.server,
        }
    }

    /// Returns whether both ends report the same as in `other`. Clauses are not compared.
    pub fn reports_as(&self, other: &Self) -> bool {
        self.client == other.client && self.server == other.server
    }
}

impl Expectation {
    /// Returns whether `other` has the same reports, order and unreached steps.
    pub fn is_as(&self, other: &Self) -> bool {
        let same = |(one, other): (&AllowedEnding, &AllowedEnding)| one.reports_as(other);
        let reports = self.allowed.len() == other.allowed.len() && self.allowed.iter().zip(&other.allowed).all(same);
        reports && self.order == other.order && self.unreached == other.unreached
    }

    /// Returns whether `record` has one of the allowed endings.
    pub fn allows(&self, record: &Record) -> bool {
        let [client, server] = Role::BOTH.map(|role| Reported::of(&record.ending(role)));
        self.allowed.iter().any(|member| member.client == client && member.server == server)
    }
}

impl fmt::Display for AllowedEnding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "client {}, server {}", self.client, self.server)
    }
}
