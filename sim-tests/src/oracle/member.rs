//! What the oracle expects: which endings are allowed, and which parts of a scenario have a moment.

use crate::record::{Ending, Record};
use echo_core::{Deadline, End, Role, Tally};
use std::collections::BTreeSet;
use std::fmt;

/// What one end may report, without words and without who began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Report {
    /// An outcome, and the account.
    Outcome(Verdict, Tally),
    /// Its plan took it away.
    Gone,
    /// It never ends. No contract allows that; a record may still show it.
    Open,
}

/// [`End`] without its texts: what two ways to end have to differ in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    /// Both last words, the server's with this code.
    Clean(u16),
    /// Both FINs of a wire without last words.
    Unproven,
    /// An error's last word, with its code.
    Failed(u16),
    /// FIN before the last word.
    Truncated,
    /// RST.
    Reset,
    /// This deadline passed.
    TimedOut(Deadline),
    /// The peer broke the protocol.
    Violation,
}

/// One way in which both ends may come out of a scenario.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Member {
    /// What the client reports.
    pub client: Report,
    /// What the server reports.
    pub server: Report,
    /// The clauses of PROTOCOL.md that lead to it, in their order.
    pub clauses: BTreeSet<&'static str>,
}

/// What may come of a scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expectation {
    /// Each way it may end, in the order of [`Scenario::runs`](crate::Scenario::runs): no two with the same reports.
    pub members: Vec<Member>,
    /// What never happens in any run, written as in [`Record::unreached`].
    pub unreached: BTreeSet<String>,
    /// A RST race or a relay finds nothing that it could change.
    pub is_unchanged: bool,
    /// A side is asked to close when its ending has begun: no event.
    pub asked_again: bool,
    /// A hash of what both ends send and get, in its order.
    pub order: u64,
}

impl Member {
    /// What `role` reports.
    pub fn report(&self, role: Role) -> Report {
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
        let same = |(one, other): (&Member, &Member)| one.reports_as(other);
        let reports = self.members.len() == other.members.len() && self.members.iter().zip(&other.members).all(same);
        reports && self.order == other.order && self.unreached == other.unreached
    }

    /// Whether `record` ended in one of the ways that are allowed.
    pub fn allows(&self, record: &Record) -> bool {
        let [client, server] = Role::BOTH.map(|role| Report::of(&record.ending(role)));
        self.members.iter().any(|member| member.client == client && member.server == server)
    }
}

impl Report {
    /// What a record's ending amounts to.
    pub fn of(ending: &Ending) -> Self {
        match ending {
            Ending::Outcome(outcome) => Self::Outcome(Verdict::of(&outcome.end), outcome.account),
            Ending::Gone(_) => Self::Gone,
            Ending::Open => Self::Open,
        }
    }
}

impl Verdict {
    /// What an outcome's end amounts to.
    pub fn of(end: &End) -> Self {
        match end {
            End::Clean(code) => Self::Clean(code.0),
            End::Unproven => Self::Unproven,
            End::Failed { code, .. } => Self::Failed(code.0),
            End::Truncated => Self::Truncated,
            End::Reset => Self::Reset,
            End::TimedOut(deadline) => Self::TimedOut(*deadline),
            End::Violation(_) => Self::Violation,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clean(code) => write!(f, "clean {code}"),
            Self::Unproven => f.write_str("unproven"),
            Self::Failed(code) => write!(f, "failed {code}"),
            Self::Truncated => f.write_str("truncated"),
            Self::Reset => f.write_str("reset"),
            Self::TimedOut(deadline) => write!(f, "timed out {deadline}"),
            Self::Violation => f.write_str("violation"),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outcome(verdict, Tally { answered, refused, unknown }) => {
                write!(f, "{verdict} ({answered}/{refused}/{unknown})")
            }
            Self::Gone => f.write_str("gone"),
            Self::Open => f.write_str("open"),
        }
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "client {}, server {}", self.client, self.server)
    }
}
