//! How a conversation ended, and what became of every request (PROTOCOL.md, section 7).

use crate::account::Tally;
use crate::error::{CloseCode, Violation};
use crate::timers::Deadline;
use std::fmt;

/// Who did something, seen from the side that reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// The reporting side.
    Local,
    /// The other side, or the network on its behalf.
    Peer,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Local => "us",
            Self::Peer => "the peer",
        })
    }
}

/// How the conversation ended, as far as one side can know.
///
/// A clean end never claims that the peer's end was clean too: the very CLOSE can be lost (two generals).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum End {
    /// Both CLOSE frames were exchanged with a code of the usual order (1000, 1001, 1012). At a server it proves
    /// that the client holds every answer; at a client, that the server owes none and ran nothing above.
    Clean(CloseCode),
    /// The wire has no CLOSE (plain): both FINs were seen, which proves nothing.
    Unproven,
    /// A CLOSE out of the usual order: the code and reason of the side that began.
    Failed {
        /// The code on the wire.
        code: CloseCode,
        /// The reason on the wire; escape it before showing it.
        reason: String,
    },
    /// FIN came before the CLOSE.
    Truncated,
    /// The transport was reset, or aborted by this side.
    Reset,
    /// A wait reached its deadline.
    TimedOut(Deadline),
    /// The peer broke the protocol.
    Violation(Violation),
}

impl End {
    /// The kind in one word, for tables and counters.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Clean(_) => "clean",
            Self::Unproven => "unproven",
            Self::Failed { .. } => "failed",
            Self::Truncated => "truncated",
            Self::Reset => "reset",
            Self::TimedOut(_) => "timed out",
            Self::Violation(_) => "violation",
        }
    }

    /// Whether it was clean: nothing was lost, and that is proven.
    pub fn is_clean(&self) -> bool {
        matches!(self, Self::Clean(_))
    }

    /// All that [`End::name`] can say, in a fixed order.
    pub const NAMES: [&'static str; 7] =
        ["clean", "unproven", "failed", "truncated", "reset", "timed out", "violation"];
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clean(code) => write!(f, "clean ({code})"),
            Self::Unproven => write!(f, "unproven"),
            Self::Failed { code, reason } if reason.is_empty() => write!(f, "failed ({code})"),
            Self::Failed { code, reason } => {
                let reason = crate::error::escape(reason.as_bytes(), 123);
                // A reason may begin with what its code says anyhow.
                match reason.starts_with(code.name()) {
                    true => write!(f, "failed ({} {reason})", code.0),
                    false => write!(f, "failed ({code}: {reason})"),
                }
            }
            Self::Truncated => write!(f, "truncated"),
            Self::Reset => write!(f, "reset"),
            Self::TimedOut(deadline) => write!(f, "timed out ({deadline})"),
            Self::Violation(violation) => write!(f, "violation ({violation})"),
        }
    }
}

/// One side's report of a finished conversation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Outcome {
    /// How it ended.
    pub end: End,
    /// Who began the ending.
    pub began: Side,
    /// What became of the requests.
    pub account: Tally,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, begun by {}; {}", self.end, self.began, self.account)
    }
}
