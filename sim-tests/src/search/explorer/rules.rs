//! The rules of the explorer: the close contract, checked on what was observed and not on the machine's own state.

use crate::support::{Breach, Rule};

/// A rule of the contract (PROTOCOL.md, sections 5, 7 and 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ExplorerRule {
    /// Truth: if the server is clean, it has received the client's CLOSE, which acknowledges every answer, and the
    /// client has received every answer.
    ServersProof,
    /// Truth: if the client is clean, it has every answer and the server's CLOSE, and no request above its count ran.
    ClientsProof,
    /// Truth: FIN without CLOSE is never clean.
    FinIsNoProof,
    /// Truth: no answer is missing, duplicated, out of order or invented, and each request runs at most once.
    Answers,
    /// Truth: an account never claims more than what happened.
    Account,
    /// Order: only FIN follows CLOSE, and nothing follows FIN. Each direction has at most one of each.
    Close,
    /// Order: the counts in GOAWAY and CLOSE are right.
    Counts,
    /// Order: two correct peers never report a violation, and a peer that breaks the order never gives a clean end.
    Violation,
    /// End: every wait has its deadline.
    Deadlines,
    /// End: a state has no next step only if both sides have ended, and no run is infinite.
    End,
    /// Care: without faults and deadlines neither side aborts, and every ending completes without help, and clean.
    Peace,
    /// Care: the configured side sends FIN first.
    FirstFin,
    /// Care: no side closes a transport that may still receive data, except by an abort or when its deadline passes.
    ReadingOn,
}

impl Rule for ExplorerRule {
    fn name(self) -> &'static str {
        match self {
            Self::ServersProof => "truth: the server's proof",
            Self::ClientsProof => "truth: the client's proof",
            Self::FinIsNoProof => "truth: FIN is no proof",
            Self::Answers => "truth: answers",
            Self::Account => "truth: account",
            Self::Close => "order: CLOSE",
            Self::Counts => "order: counts",
            Self::Violation => "order: violation",
            Self::Deadlines => "end: deadlines",
            Self::End => "end",
            Self::Peace => "care: peace",
            Self::FirstFin => "care: first FIN",
            Self::ReadingOn => "care: reading on",
        }
    }
}

/// A breach of an explorer rule.
pub type ExplorerBreach = Breach<ExplorerRule>;

impl ExplorerBreach {
    pub(super) fn cycle() -> Self {
        Self { rule: ExplorerRule::End, what: "a state repeats: the run may never end".into() }
    }
}

/// Returns a breach of `rule` with the text of `what`, unless `holds`.
pub(super) fn ensure(holds: bool, rule: ExplorerRule, what: impl FnOnce() -> String) -> Result<(), ExplorerBreach> {
    if holds { Ok(()) } else { Err(ExplorerBreach { rule, what: what() }) }
}
