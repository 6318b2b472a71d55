//! The rules of the close contract, by name.

use crate::support::{Breach, Rule};

/// The rules of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ContractRule {
    /// Truth: if the server is clean, it has received the client's CLOSE, which acknowledges every answer, and the
    /// client has received every answer.
    ServersProof,
    /// Truth: if the client is clean, it has every answer up to the count of the server's CLOSE, and the server
    /// accepted no request above it.
    ClientsProof,
    /// Truth: FIN without CLOSE is never clean.
    FinIsNoProof,
    /// Truth: no answer is missing, duplicated, out of order or invented.
    Answers,
    /// Truth: an account never claims more than what happened.
    Account,
    /// Order: nothing but FIN follows a CLOSE, and each direction has at most one.
    Close,
    /// Order: two correct peers never report a violation.
    NoViolation,
    /// End: both sides end within the sum of their deadlines, and each ending within its cap.
    End,
    /// Care: without a fault no side aborts and no data is lost, and the configured side sends FIN first.
    Care,
    /// The harness itself: units are received as they were sent, in the same order.
    Wire,
}

impl Rule for ContractRule {
    fn name(self) -> &'static str {
        match self {
            Self::ServersProof => "truth: the server's proof",
            Self::ClientsProof => "truth: the client's proof",
            Self::FinIsNoProof => "truth: FIN is no proof",
            Self::Answers => "truth: answers",
            Self::Account => "truth: account",
            Self::Close => "order: CLOSE",
            Self::NoViolation => "order: no violation",
            Self::End => "end",
            Self::Care => "care",
            Self::Wire => "harness: wire",
        }
    }
}

/// A breach of a contract rule.
pub type ContractBreach = Breach<ContractRule>;
