//! How a conversation ended, and what happened to each request (PROTOCOL.md, section 7).

use crate::account::Tally;
use crate::error::{CloseCode, Violation};
use crate::timers::Deadline;
use std::fmt;

/// The side that did something, seen from the reporting side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Side {
    /// The reporting side.
    Local,
    /// The peer, or the network between.
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
/// A clean end does not mean that the peer's end is clean too: the last CLOSE can be lost (two generals' problem).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum End {
    /// Both CLOSE frames were exchanged, with a code of the usual order (1000, 1001, 1012). At a server it proves that
    /// the client has every answer. At a client it proves that the server owes no answer and ran no later request.
    Clean(CloseCode),
    /// Both FINs were received on a wire without CLOSE (plain), which proves nothing.
    Unproven,
    /// A side sent an error CLOSE, with this code and reason.
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
    /// The input ended without the transport's own mark of an end, such as a TLS close_notify, before the CLOSE or on a
    /// wire without CLOSE: a crash, or an attacker that cuts the connection.
    UnexpectedEof,
}

impl End {
    /// Returns the kind as one or two words, for tables and counters.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Clean(_) => "clean",
            Self::Unproven => "unproven",
            Self::Failed { .. } => "failed",
            Self::Truncated => "truncated",
            Self::Reset => "reset",
            Self::TimedOut(_) => "timed out",
            Self::Violation(_) => "violation",
            Self::UnexpectedEof => "unexpected eof",
        }
    }

    /// Returns whether the end was clean: it is proven that nothing was lost.
    pub fn is_clean(&self) -> bool {
        matches!(self, Self::Clean(_))
    }

    /// All names that [`End::name`] returns, in a fixed order.
    pub const NAMES: [&'static str; 8] =
        ["clean", "unproven", "failed", "truncated", "reset", "timed out", "violation", "unexpected eof"];
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clean(code) => write!(f, "clean ({code})"),
            Self::Unproven => write!(f, "unproven"),
            Self::Failed { code, reason } if reason.is_empty() => write!(f, "failed ({code})"),
            Self::Failed { code, reason } => {
                let reason = crate::error::escape(reason.as_bytes(), 123);
                // A reason may begin with the name of its code.
                match reason.starts_with(code.name()) {
                    true => write!(f, "failed ({} {reason})", code.0),
                    false => write!(f, "failed ({code}: {reason})"),
                }
            }
            Self::Truncated => write!(f, "truncated"),
            Self::Reset => write!(f, "reset"),
            Self::TimedOut(deadline) => write!(f, "timed out ({deadline})"),
            Self::Violation(violation) => write!(f, "violation ({violation})"),
            Self::UnexpectedEof => write!(f, "unexpected eof"),
        }
    }
}

/// One side's report on a finished conversation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Outcome {
    /// How it ended.
    pub end: End,
    /// The side that began the ending.
    pub began: Side,
    /// The number of requests of each fate.
    pub account: Tally,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, begun by {}; {}", self.end, self.began, self.account)
    }
}
