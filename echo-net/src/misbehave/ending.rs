//! The ending of an attacker's connection.

use echo_core::CloseCode;
use std::fmt;

/// The server's CLOSE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Close {
    /// CLOSE with a code, on the framed wire.
    Close(CloseCode),
    /// The line of a refusal because the server is full, on the plain wire.
    BusyLine,
    /// The line of any other refusal or error, on the plain wire.
    ErrorLine,
}

impl fmt::Display for Close {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Close(code) => write!(f, "CLOSE {code}"),
            Self::BusyLine => f.write_str("the line `echo: try again later`"),
            Self::ErrorLine => f.write_str("a line `echo: …`"),
        }
    }
}

/// The end of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StreamEnd {
    /// The server's FIN.
    Fin,
    /// The server's RST.
    Reset,
    /// The stream was open when the attack was over; the attacker reset it.
    Open,
    /// The stream was open although each deadline that could end it had passed, or although the server had to end it at
    /// once.
    Overdue,
    /// The attacker reset the stream, as its kind does.
    Left,
}

impl fmt::Display for StreamEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fin => "FIN",
            Self::Reset => "RST",
            Self::Open => "still open",
            Self::Overdue => "still open, although the server should have closed it",
            Self::Left => "left by the attacker",
        })
    }
}

/// The ending of one connection, as seen by the attacker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ending {
    /// The server's CLOSE, if one was read.
    pub close_frame: Option<Close>,
    /// The end of the stream.
    pub end: StreamEnd,
    /// Whether the server sent bytes that are not echo/1: an answer out of order, or bytes after a CLOSE.
    pub is_garbled: bool,
}

impl Ending {
    /// Returns whether the connection was refused because the server is full (1013).
    pub fn is_busy(&self) -> bool {
        matches!(self.close_frame, Some(Close::Close(CloseCode::TRY_LATER) | Close::BusyLine))
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(close) = &self.close_frame {
            write!(f, "{close}, ")?;
        }
        write!(f, "{}", self.end)?;
        if self.is_garbled {
            f.write_str(", and bytes that are not echo/1")?;
        }
        Ok(())
    }
}
