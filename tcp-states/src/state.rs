//! The states of a TCP connection.

use std::fmt;

/// A state of RFC 9293 section 3.3.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "SCREAMING-KEBAB-CASE"))]
pub enum TcpState {
    /// There is no connection.
    Closed,
    /// It waits for a SYN from any peer.
    Listen,
    /// It has sent SYN.
    SynSent,
    /// It has sent and received SYN.
    SynReceived,
    /// The connection is open for data.
    Established,
    /// It has sent FIN, which is not yet acknowledged.
    #[cfg_attr(feature = "serde", serde(rename = "FIN-WAIT-1"))]
    FinWait1,
    /// Its FIN is acknowledged. The peer has not sent FIN.
    #[cfg_attr(feature = "serde", serde(rename = "FIN-WAIT-2"))]
    FinWait2,
    /// The peer has sent FIN. The program here has not closed.
    CloseWait,
    /// Both sides sent FIN at the same time, and its own is not yet acknowledged.
    Closing,
    /// It has answered the peer's FIN with its own, which is not yet acknowledged.
    LastAck,
    /// Both FINs are acknowledged. It waits for segments that are still in flight.
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

    /// Returns its name in RFC 9293.
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

#[cfg(all(test, feature = "serde"))]
mod tests {
    use super::TcpState;

    #[test]
    fn a_state_has_one_name() {
        for state in TcpState::ALL {
            assert_eq!(serde_json::to_value(state).expect("JSON"), state.name());
        }
    }
}
