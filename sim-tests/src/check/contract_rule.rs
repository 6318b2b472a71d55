//! The promises of the close contract, by name.

use crate::support::{Breach, Rule};

/// The contract in short: one name for each promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ContractRule {
    /// Truth: clean at the server means that it holds the client's acknowledging CLOSE, and the client every
    /// answer.
    ServersProof,
    /// Truth: clean at the client means that it has every answer through the server's CLOSE, and that nothing
    /// above was accepted.
    ClientsProof,
    /// Truth: a FIN without a CLOSE is never clean.
    FinIsNoProof,
    /// Truth: no answer is missing, doubled, out of order or made up.
    Answers,
    /// Truth: an account is never rosier than what happened.
    Account,
    /// Order: nothing follows a CLOSE, and there is one in each direction.
    Close,
    /// Order: two correct peers never see a violation.
    NoViolation,
    /// End: both sides end, within the sum of their deadlines, and an ending within its cap.
    End,
    /// Care: nobody aborts and nothing is lost without a fault, and who is to send FIN first does.
    Care,
    /// The harness itself: what is got was sent, in that order.
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

/// A broken promise of these.
pub type ContractBreach = Breach<ContractRule>;
