//! A TCP socket as the kernel shows it.

use crate::state::TcpState;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// A TCP socket at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpSocket {
    /// The kernel's number of the socket. It is never used again, and stays the same in TIME-WAIT.
    pub cookie: u64,
    /// Its own address. An IPv4 address of an IPv6 socket is given as IPv4.
    pub local: SocketAddr,
    /// The peer's address.
    pub remote: SocketAddr,
    /// Its state.
    pub state: TcpState,
    /// Bytes received that the program has not read. A FIN counts as one. For a listening socket: the number of
    /// connections that the program has not accepted.
    pub recv_queue: u32,
    /// Bytes written that the peer has not acknowledged. A FIN counts as one. For a listening socket: the limit of
    /// `recv_queue`.
    pub send_queue: u32,
    /// The timer that runs, if any.
    pub timer: Option<Timer>,
    /// How often the oldest segment, or the question for the peer's window, was sent again.
    pub retransmissions: u8,
    /// What it has sent and received; `None` in LISTEN and TIME-WAIT, and for an orphan in FIN-WAIT-2.
    pub traffic: Option<Traffic>,
    /// The user who owns it; 0 if no process has it.
    pub uid: u32,
    /// The inode by which processes hold it; 0 if no process does.
    pub inode: u32,
}

/// What a socket has sent and received (`struct tcp_info` in linux/tcp.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// The time since data was sent, for the first time or again.
    pub last_sent: Duration,
    /// The time since data was received.
    pub last_received: Duration,
    /// The time since the peer's last acknowledgment. The peer's FIN is one, too, so in CLOSE-WAIT this is the time
    /// since the FIN, or less if something was sent after it.
    pub last_acknowledged: Duration,
    /// The time after which the oldest segment is sent again, doubled by each retransmission.
    pub retransmission_timeout: Duration,
    /// Number of bytes that the peer has acknowledged.
    pub acknowledged: u64,
    /// Number of bytes received.
    pub received: u64,
}

/// A timer of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timer {
    /// What it does when it expires.
    pub kind: TimerKind,
    /// The time until then. The kernel gives milliseconds.
    pub expires: Duration,
}

/// What a timer does when it expires (`idiag_timer` in sock_diag(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "kebab-case"))]
pub enum TimerKind {
    /// It sends a segment again.
    Retransmission,
    /// It asks whether the peer is there.
    KeepAlive,
    /// It removes the socket, in TIME-WAIT, and in FIN-WAIT-2 if no process holds it (`tcp_fin_timeout` in tcp(7)).
    TimeWait,
    /// It asks the peer, whose window is zero, for its window.
    WindowProbe,
}

impl TcpSocket {
    /// Returns whether no process holds it: its program has closed it, has ended, or has not accepted it.
    pub fn is_orphan(&self) -> bool {
        self.inode == 0
    }

    /// Returns whether this listening socket takes connections like `socket`: it listens at its address, or at any. An
    /// IPv6 socket that listens at any address usually takes IPv4, too.
    pub fn accepts(&self, socket: &Self) -> bool {
        let is_any = match self.local.ip() {
            IpAddr::V4(ip) => ip.is_unspecified() && socket.local.is_ipv4(),
            IpAddr::V6(ip) => ip.is_unspecified(),
        };
        let is_port = self.local.port() == socket.local.port();
        self.state == TcpState::Listen && is_port && (is_any || self.local.ip() == socket.local.ip())
    }

    /// Returns the bytes received that the program has not read, without the FIN.
    pub fn unread(&self) -> u32 {
        let has_fin = !matches!(self.state, TcpState::Established | TcpState::FinWait1 | TcpState::FinWait2);
        // The FIN is counted until the program has read up to it.
        if has_fin && self.recv_queue > 0 { self.recv_queue - 1 } else { self.recv_queue }
    }

    /// Returns the bytes written that the peer has not acknowledged, without the FIN.
    pub fn unacknowledged(&self) -> u32 {
        let has_fin = matches!(self.state, TcpState::FinWait1 | TcpState::Closing | TcpState::LastAck);
        if has_fin { self.send_queue.saturating_sub(1) } else { self.send_queue }
    }
}

impl TimerKind {
    /// Returns its name in one or two words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Retransmission => "retransmit",
            Self::KeepAlive => "keep-alive",
            Self::TimeWait => "time-wait",
            Self::WindowProbe => "window probe",
        }
    }
}
