//! What an end reports, without texts.

use super::Ending;
use echo_core::{Deadline, End, Tally};
use std::fmt;

/// What one end may report, without texts and without the side that began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reported {
    /// An outcome with its account.
    Outcome(EndKind, Tally),
    /// Its plan killed it.
    Killed,
    /// It never ended. No contract allows this, but a record may show it.
    Open,
}

/// [`End`] without its texts. Two ways to end are different if these differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EndKind {
    /// Both sides sent CLOSE; the server's had this code.
    Clean(u16),
    /// Both sides sent FIN, on a wire without CLOSE frames.
    Unproven,
    /// A CLOSE with the code of an error.
    Failed(u16),
    /// FIN arrived before CLOSE.
    Truncated,
    /// RST arrived.
    Reset,
    /// This deadline passed.
    TimedOut(Deadline),
    /// The peer broke the protocol.
    Violation,
    /// The input ended without the transport's own mark of an end.
    UnexpectedEof,
}

impl Reported {
    /// Converts a record's ending.
    pub fn of(ending: &Ending) -> Self {
        match ending {
            Ending::Outcome(outcome) => Self::Outcome(EndKind::of(&outcome.end), outcome.account),
            Ending::Killed(_) => Self::Killed,
            Ending::Open => Self::Open,
        }
    }
}

impl EndKind {
    /// Converts an outcome's end.
    pub fn of(end: &End) -> Self {
        match end {
            End::Clean(code) => Self::Clean(code.0),
            End::Unproven => Self::Unproven,
            End::Failed { code, .. } => Self::Failed(code.0),
            End::Truncated => Self::Truncated,
            End::Reset => Self::Reset,
            End::TimedOut(deadline) => Self::TimedOut(*deadline),
            End::Violation(_) => Self::Violation,
            End::UnexpectedEof => Self::UnexpectedEof,
        }
    }
}

impl fmt::Display for EndKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clean(code) => write!(f, "clean {code}"),
            Self::Unproven => f.write_str("unproven"),
            Self::Failed(code) => write!(f, "failed {code}"),
            Self::Truncated => f.write_str("truncated"),
            Self::Reset => f.write_str("reset"),
            Self::TimedOut(deadline) => write!(f, "timed out {deadline}"),
            Self::Violation => f.write_str("violation"),
            Self::UnexpectedEof => f.write_str("unexpected eof"),
        }
    }
}

impl fmt::Display for Reported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outcome(verdict, Tally { answered, refused, unknown }) => {
                write!(f, "{verdict} ({answered}/{refused}/{unknown})")
            }
            Self::Killed => f.write_str("killed"),
            Self::Open => f.write_str("open"),
        }
    }
}
