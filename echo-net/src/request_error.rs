//! Why a request has no answer.

use echo_core::{End, Failure, Outcome};
use std::fmt;

/// Why a request has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestError {
    /// The server did not run it: it is safe to send again elsewhere. (If the conversation ended with code 1009, a request
    /// was over the server's limit, and would be again.)
    Refused {
        /// How the conversation ended, and so why, such as that all connections are in use. `None` if it is still ending:
        /// [`Client::ended`](crate::Client::ended) waits for it.
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
                f.write_str("the request did not run: the conversation ended ")?;
                describe(&outcome.end, f)
            }
            Self::Refused { outcome: None } => write!(f, "the request did not run: the conversation is ending"),
            Self::Unknown { outcome } => {
                f.write_str("the request may have run: before its answer, the conversation ended ")?;
                describe(&outcome.end, f)
            }
            Self::Failed(failure) => write!(f, "the request failed: {failure}"),
            Self::TooBig { len, limit } => write!(f, "a message of {len} bytes is over the limit of {limit}"),
        }
    }
}

/// Writes the end of "the conversation ended …".
fn describe(end: &End, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match end {
        End::Clean(code) => write!(f, "in order ({code})"),
        End::Unproven => f.write_str("by FIN on both sides"),
        End::Failed { .. } => write!(f, "by an error: {end}"),
        End::Truncated => f.write_str("by FIN without a CLOSE: it is truncated"),
        End::Reset => f.write_str("by a reset"),
        End::TimedOut(deadline) => write!(f, "because a wait took too long (deadline: {deadline})"),
        End::Violation(violation) => write!(f, "because the protocol was broken: {violation}"),
        End::UnexpectedEof => f.write_str("without the mark of its end, a close_notify: it is truncated"),
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

#[cfg(test)]
mod tests {
    use super::*;
    use echo_core::{CloseCode, Deadline, Side, Tally};

    /// Each end reads as a sentence.
    #[test]
    fn words() {
        let reason = "4 bytes, limit 3".to_owned();
        for (end, expected) in [
            (End::Clean(CloseCode::GOING_AWAY), "in order (1001 going away)"),
            (End::Unproven, "by FIN on both sides"),
            (End::Failed { code: CloseCode::TOO_BIG, reason }, "by an error: failed (1009 too big: 4 bytes, limit 3)"),
            (End::Truncated, "by FIN without a CLOSE: it is truncated"),
            (End::Reset, "by a reset"),
            (End::TimedOut(Deadline::Answer), "because a wait took too long (deadline: answer)"),
            (End::UnexpectedEof, "without the mark of its end, a close_notify: it is truncated"),
        ] {
            let outcome = Outcome { end, began: Side::Peer, account: Tally::default() };
            assert_eq!(
                RequestError::Unknown { outcome }.to_string(),
                format!("the request may have run: before its answer, the conversation ended {expected}")
            );
        }
    }
}
