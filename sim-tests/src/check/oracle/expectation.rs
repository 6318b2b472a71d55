//! What the oracle expects: which endings are allowed, and which parts of a scenario have a moment.

use crate::record::Record;
use crate::record::reported::Reported;
use echo_core::Role;
use std::collections::BTreeSet;
use std::fmt;

/// One way in which both ends may come out of a scenario.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AllowedEnding {
    /// What the client reports.
    pub client: Reported,
    /// What the server reports.
    pub server: Reported,
    /// The clauses of PROTOCOL.md that lead to it, in their order.
    pub clauses: BTreeSet<&'static str>,
}

/// What may come of a scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expectation {
    /// Each way it may end, in the order of [`Scenario::runs`](crate::Scenario::runs): no two with the same reports.
    pub allowed: Vec<AllowedEnding>,
    /// What never happens in any run, written as in [`Record::unreached`].
    pub unreached: BTreeSet<String>,
    /// A RST race or a relay finds nothing that it could change.
    pub is_unchanged: bool,
    /// A side is asked to close when its ending has begun: no event.
    pub asked_again: bool,
    /// A hash of what both ends send and get, in its order.
    pub order: u64,
}

impl AllowedEnding {
    /// What `role` reports.
    pub fn report(&self, role: Role) -> Reported {
        match role {
            Role::Client => self.client,
            Role::Server => self.server,
        }
    }

    /// Whether both ends report the same as in `other`, whatever the clauses are.
    pub fn reports_as(&self, other: &Self) -> bool {
        self.client == other.client && self.server == other.server
    }
}

impl Expectation {
    /// Whether the same comes of another scenario in the same order.
    pub fn is_as(&self, other: &Self) -> bool {
        let same = |(one, other): (&AllowedEnding, &AllowedEnding)| one.reports_as(other);
        let reports = self.allowed.len() == other.allowed.len() && self.allowed.iter().zip(&other.allowed).all(same);
        reports && self.order == other.order && self.unreached == other.unreached
    }

    /// Whether `record` ended in one of the ways that are allowed.
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
