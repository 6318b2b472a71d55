//! Why a request has no answer.

use echo_core::{Failure, Outcome};
use std::fmt;

/// Why a request has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestError {
    /// The server did not run it: it is safe to send again elsewhere.
    Refused {
        /// How the conversation ended. `None` if it is still ending: [`Client::ended`](crate::Client::ended) waits for it.
        outcome: Option<Outcome>,
    },
    /// The server may have run it.
    Unknown {
        /// How the conversation ended.
        outcome: Outcome,
    },
    /// The server has no answer, and says why. Whether it ran is for the server to say. The conversation goes on.
    Failed(Failure),
    /// The payload is over the limit. Nothing was sent.
    TooBig {
        /// Length of the payload, in bytes.
        len: usize,
        /// The limit, in bytes.
        limit: usize,
    },
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { outcome: Some(outcome) } => {
                write!(f, "the request did not run: the conversation ended as {}", outcome.end)
            }
            Self::Refused { outcome: None } => write!(f, "the request did not run: the conversation is ending"),
            Self::Unknown { outcome } => {
                write!(f, "the request may have run: the conversation ended before its answer as {}", outcome.end)
            }
            Self::Failed(failure) => write!(f, "the request failed: {failure}"),
            Self::TooBig { len, limit } => write!(f, "a message of {len} bytes is over the limit of {limit}"),
        }
    }
}

impl RequestError {
    /// Returns how the conversation ended, if that is why the request has no answer and it has ended.
    pub fn outcome(&self) -> Option<&Outcome> {
        match self {
            Self::Refused { outcome } => outcome.as_ref(),
            Self::Unknown { outcome } => Some(outcome),
            Self::Failed(_) | Self::TooBig { .. } => None,
        }
    }
}

impl std::error::Error for RequestError {}
