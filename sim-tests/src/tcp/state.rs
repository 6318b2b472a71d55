//! The states of a TCP connection.

use std::fmt;

/// A state of RFC 9293 section 3.3.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TcpState {
    /// No connection.
    Closed,
    /// Waits for anybody's SYN.
    Listen,
    /// Has sent SYN.
    SynSent,
    /// Has sent and got SYN.
    SynReceived,
    /// Data may pass.
    Established,
    /// Has sent FIN, which is not acknowledged.
    FinWait1,
    /// Its FIN is acknowledged; the peer has not sent one.
    FinWait2,
    /// The peer has sent FIN; the program here has not closed.
    CloseWait,
    /// The FINs crossed, and its own is not acknowledged.
    Closing,
    /// Has answered the peer's FIN with its own, which is not acknowledged.
    LastAck,
    /// All is acknowledged; it waits for what may still be on its way.
    TimeWait,
}

impl TcpState {
    /// All states.
    pub const ALL: [Self; 11] = [
        Self::Closed,
        Self::Listen,
        Self::SynSent,
        Self::SynReceived,
        Self::Established,
        Self::FinWait1,
        Self::FinWait2,
        Self::CloseWait,
        Self::Closing,
        Self::LastAck,
        Self::TimeWait,
    ];

    /// Its name in RFC 9293.
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "CLOSED",
            Self::Listen => "LISTEN",
            Self::SynSent => "SYN-SENT",
            Self::SynReceived => "SYN-RECEIVED",
            Self::Established => "ESTABLISHED",
            Self::FinWait1 => "FIN-WAIT-1",
            Self::FinWait2 => "FIN-WAIT-2",
            Self::CloseWait => "CLOSE-WAIT",
            Self::Closing => "CLOSING",
            Self::LastAck => "LAST-ACK",
            Self::TimeWait => "TIME-WAIT",
        }
    }
}

impl fmt::Display for TcpState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
