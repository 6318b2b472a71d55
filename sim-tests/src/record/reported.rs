//! What an end reports, without texts: what two ways to end have to differ in.

use super::Ending;
use echo_core::{Deadline, End, Tally};
use std::fmt;

/// What one end may report, without words and without who began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reported {
    /// An outcome, and the account.
    Outcome(EndKind, Tally),
    /// Its plan took it away.
    Killed,
    /// It never ends. No contract allows that; a record may still show it.
    Open,
}

/// [`End`] without its texts: what two ways to end have to differ in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EndKind {
    /// Both CLOSE frames, the server's with this code.
    Clean(u16),
    /// Both FINs of a wire without CLOSE frames.
    Unproven,
    /// An error's CLOSE, with its code.
    Failed(u16),
    /// FIN before the CLOSE.
    Truncated,
    /// RST.
    Reset,
    /// This deadline passed.
    TimedOut(Deadline),
    /// The peer broke the protocol.
    Violation,
}

impl Reported {
    /// What a record's ending amounts to.
    pub fn of(ending: &Ending) -> Self {
        match ending {
            Ending::Outcome(outcome) => Self::Outcome(EndKind::of(&outcome.end), outcome.account),
            Ending::Killed(_) => Self::Killed,
            Ending::Open => Self::Open,
        }
    }
}

impl EndKind {
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
        }
    }
}

impl fmt::Display for Reported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outcome(verdict, Tally { answered, refused, unknown }) => {
                write!(f, "{verdict} ({answered}/{refused}/{unknown})")
            }
            Self::Killed => f.write_str("gone"),
            Self::Open => f.write_str("open"),
        }
    }
}
