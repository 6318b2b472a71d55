//! What must hold in every state: the close contract, on what was seen rather than on what a machine believes.

use crate::support::{Breach, Rule};

/// A promise of the contract (PROTOCOL.md, sections 5, 7 and 8), and the side of it that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ExplorerRule {
    /// Truth: clean at the server means that it holds the client's acknowledging CLOSE, and the client every
    /// answer.
    ServersProof,
    /// Truth: clean at the client means that it has every answer and the server's CLOSE, and nothing above ran.
    ClientsProof,
    /// Truth: a FIN without a CLOSE is never clean.
    FinIsNoProof,
    /// Truth: no answer is missing, doubled, out of order or made up, and each request runs once at most.
    Answers,
    /// Truth: an account is never rosier than what happened.
    Account,
    /// Order: nothing follows a CLOSE but FIN, and nothing follows FIN; there is one of each in a direction.
    Close,
    /// Order: the counts in GOAWAY and in a CLOSE are right.
    Counts,
    /// Order: two correct peers never see a violation; whoever breaks the order is never taken for clean.
    Violation,
    /// End: every wait has its deadline.
    Deadlines,
    /// End: nothing can happen any more only when both sides have ended, and nothing goes on for ever.
    End,
    /// Care: without faults and deadlines nobody aborts, every ending comes to its end by itself, and clean.
    Peace,
    /// Care: the side that the setting names sends FIN first.
    FirstFin,
    /// Care: nobody lets go of a transport that may still get data, except by an abort or at the end of its patience.
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

/// A broken promise of these.
pub type ExplorerBreach = Breach<ExplorerRule>;

impl ExplorerBreach {
    pub(super) fn cycle() -> Self {
        Self { rule: ExplorerRule::End, what: "a state comes back: this can go on for ever".into() }
    }
}

/// Holds `holds` to be true; `what` tells how it is not.
pub(super) fn ensure(holds: bool, rule: ExplorerRule, what: impl FnOnce() -> String) -> Result<(), ExplorerBreach> {
    if holds { Ok(()) } else { Err(ExplorerBreach { rule, what: what() }) }
}
