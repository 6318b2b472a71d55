//! What the state, the queues and the timers of a socket mean, in words.

use crate::history::{Age, Observed};
use crate::socket::{TcpSocket, TimerKind};
use crate::state::TcpState;
use std::time::Duration;

/// What is the matter with a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "kebab-case"))]
pub enum Finding {
    /// The peer has finished, and the program does not close: CLOSE-WAIT.
    NotClosed,
    /// The peer has finished before the program accepted the connection: CLOSE-WAIT.
    NotAccepted,
    /// The program has finished, and the peer does not close: FIN-WAIT-2, held by a process.
    PeerDoesNotClose,
    /// The program is gone, and the peer does not close: FIN-WAIT-2, without a process.
    OrphanWaits,
    /// The send queue does not move, because the peer's window is closed.
    PeerDoesNotRead,
    /// The send queue, or a FIN, does not move, because nothing is acknowledged.
    PeerDoesNotAnswer,
    /// The receive queue does not move.
    ProgramDoesNotRead,
    /// One direction is closed, and the other one is in use or was until a moment ago.
    HalfClosed,
    /// A FIN is on its way.
    Closing,
    /// TIME-WAIT.
    TimeWait,
    /// A conversation that is open.
    Open,
}

/// How much a socket hurts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "kebab-case"))]
pub enum Harm {
    /// Nothing is wrong.
    None,
    /// It lasts, and ends by itself: the kernel gives up.
    Passing,
    /// It does not end before a program or the peer does something.
    Stuck,
}

/// What is the matter with a socket, and how much it hurts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Diagnosis {
    /// What is the matter.
    pub finding: Finding,
    /// How much it hurts.
    pub harm: Harm,
}

impl Finding {
    /// All findings.
    pub const ALL: [Self; 11] = [
        Self::NotClosed,
        Self::NotAccepted,
        Self::PeerDoesNotClose,
        Self::OrphanWaits,
        Self::PeerDoesNotRead,
        Self::PeerDoesNotAnswer,
        Self::ProgramDoesNotRead,
        Self::HalfClosed,
        Self::Closing,
        Self::TimeWait,
        Self::Open,
    ];

    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotClosed => "not-closed",
            Self::NotAccepted => "not-accepted",
            Self::PeerDoesNotClose => "peer-does-not-close",
            Self::OrphanWaits => "orphan-waits",
            Self::PeerDoesNotRead => "peer-does-not-read",
            Self::PeerDoesNotAnswer => "peer-does-not-answer",
            Self::ProgramDoesNotRead => "program-does-not-read",
            Self::HalfClosed => "half-closed",
            Self::Closing => "closing",
            Self::TimeWait => "time-wait",
            Self::Open => "open",
        }
    }
}

impl Harm {
    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Passing => "passing",
            Self::Stuck => "stuck",
        }
    }
}

/// How long a receive queue is watched before a program that reads nothing of it is taken not to read.
pub const READING: Duration = Duration::from_secs(1);

/// Says what is the matter with a socket. What does not move for `patience` is stuck.
pub fn diagnose(observed: &Observed, patience: Duration) -> Diagnosis {
    let socket = &observed.socket;
    let by_time = |harm| if observed.age.time < patience { Harm::None } else { harm };
    let is_still = observed.send_still >= patience;
    let is_retrying = socket.timer.is_some_and(|timer| timer.kind == TimerKind::Retransmission);
    let (finding, harm) = match socket.state {
        _ if is_still && is_retrying && socket.retransmissions > 0 => (Finding::PeerDoesNotAnswer, left_behind(socket)),
        _ if is_still && socket.unacknowledged() > 0 => (Finding::PeerDoesNotRead, left_behind(socket)),
        TcpState::CloseWait if socket.is_orphan() => (Finding::NotAccepted, by_time(Harm::Stuck)),
        TcpState::Established if socket.is_orphan() && observed.age.time >= patience => {
            (Finding::NotAccepted, Harm::Stuck)
        }
        TcpState::FinWait2 if socket.is_orphan() => (Finding::OrphanWaits, by_time(Harm::Passing)),
        TcpState::Established | TcpState::FinWait1 | TcpState::FinWait2
            if observed.recv_still >= patience && !socket.is_orphan() =>
        {
            (Finding::ProgramDoesNotRead, Harm::Stuck)
        }
        TcpState::CloseWait | TcpState::FinWait2 if quiet(observed) < patience => (Finding::HalfClosed, Harm::None),
        TcpState::CloseWait => (Finding::NotClosed, Harm::Stuck),
        TcpState::FinWait2 => (Finding::PeerDoesNotClose, Harm::Stuck),
        TcpState::FinWait1 | TcpState::Closing | TcpState::LastAck => (Finding::Closing, by_time(Harm::Passing)),
        TcpState::TimeWait => (Finding::TimeWait, Harm::None),
        TcpState::Established | TcpState::SynSent | TcpState::SynReceived | TcpState::Listen | TcpState::Closed => {
            (Finding::Open, Harm::None)
        }
    };
    Diagnosis { finding, harm }
}

/// What a program has left behind ends by itself.
fn left_behind(socket: &TcpSocket) -> Harm {
    if socket.is_orphan() { Harm::Passing } else { Harm::Stuck }
}

/// Returns for how long the direction that is still open, and what is left of the other one, were not used. Keep-alive
/// probes are no use.
fn quiet(observed: &Observed) -> Duration {
    let Observed { socket, age, recv_still, is_reading, .. } = observed;
    let Some(traffic) = socket.traffic else { return Duration::ZERO };
    let has_unread = socket.unread() > 0;
    let unused = match socket.state {
        // The peer may have closed: its FIN can be behind data for which there is no room here.
        TcpState::FinWait2 if has_unread => Duration::ZERO,
        TcpState::FinWait2 => traffic.last_received,
        _ if has_unread && (*is_reading || *recv_still < READING) => *recv_still,
        _ => traffic.last_sent.max(traffic.last_acknowledged),
    };
    unused.min(age.time)
}

/// Returns whether a later look can say more: whether a program reads what it has received.
pub fn is_open_question(observed: &Observed, patience: Duration) -> bool {
    let Observed { socket, age, recv_still, .. } = observed;
    let is_held = socket.state == TcpState::CloseWait && !socket.is_orphan();
    is_held && socket.unread() > 0 && age.time >= patience && *recv_still < READING
}

impl Diagnosis {
    /// Says it in words, without a full stop. `holder` names who holds the socket, or, for a connection that is not
    /// accepted, who listens.
    pub fn sentence(self, observed: &Observed, holder: &str) -> String {
        let Observed { socket, age, send_still, recv_still, .. } = observed;
        let kind = socket.timer.map(|timer| timer.kind);
        let left = socket.timer.map(|timer| time(timer.expires)).unwrap_or_default();
        let still = time(*send_still);
        let orphan = match socket.is_orphan() {
            true => "; no process holds it, so the kernel gives up after some retries",
            false => "",
        };
        match (self.finding, socket.state) {
            (Finding::PeerDoesNotAnswer, _) => {
                let what = if socket.unacknowledged() == 0 { "FIN".to_owned() } else { bytes(socket.unacknowledged()) };
                let again = times(socket.retransmissions);
                format!("{what} sent again {again}, no answer for {still}: the peer or the way to it is gone{orphan}")
            }
            (Finding::PeerDoesNotRead, _) => {
                let size = bytes(socket.unacknowledged());
                format!("send queue {size}, not moving for {still}: the peer does not read{orphan}")
            }
            (Finding::ProgramDoesNotRead, _) => {
                let (size, still) = (bytes(socket.unread()), time(*recv_still));
                format!("receive queue {size}, not moving for {still}: {holder} did not read it")
            }
            (Finding::NotAccepted, TcpState::Established) => {
                format!("the peer connected {}, and {holder} did not accept the connection", ago(*age))
            }
            (Finding::NotAccepted, _) => {
                format!("the peer finished {}, and {holder} did not accept the connection", ago(*age))
            }
            (Finding::NotClosed, _) => {
                let program = holder.split(" (").next().unwrap_or(holder);
                let unread = unread(socket);
                format!("the peer finished {}, and {holder} did not close{unread}: a leak in {program}", ago(*age))
            }
            (Finding::HalfClosed, TcpState::FinWait2) => {
                format!("{holder} finished {}, and the peer did not close yet", ago(*age))
            }
            (Finding::HalfClosed, _) => {
                format!("the peer finished {}, and {holder} did not close yet{}", ago(*age), unread(socket))
            }
            (Finding::PeerDoesNotClose, _) => {
                let end = match kind {
                    Some(TimerKind::KeepAlive) => "only keep-alive ends this, and only if the peer's machine is gone",
                    _ => "no timer of the kernel ends this",
                };
                format!("{holder} finished {}, and the peer does not close; {end}", ago(*age))
            }
            (Finding::OrphanWaits, _) if kind == Some(TimerKind::TimeWait) => {
                format!("orphan: the peer does not close, and the kernel gives up in {left}")
            }
            (Finding::OrphanWaits, _) => {
                "orphan: the peer does not close, and the kernel gives up after tcp_fin_timeout".to_owned()
            }
            (Finding::Closing, TcpState::Closing) => {
                "both sides have closed, and its own FIN is not acknowledged yet".to_owned()
            }
            (Finding::Closing, _) => "its FIN is not acknowledged yet".to_owned(),
            (Finding::TimeWait, _) => format!("normal after closing first, {left} left"),
            (Finding::Open, _) => "open".to_owned(),
        }
    }
}

fn unread(socket: &TcpSocket) -> String {
    match socket.unread() {
        0 => String::new(),
        unread => format!(", nor read the last {}", bytes(unread)),
    }
}

fn ago(age: Age) -> String {
    format!("{}{} ago", if age.is_minimum { "at least " } else { "" }, time(age.time))
}

/// Returns a time in words, to the second: `40 s`, `12 min 5 s`, `3 h 5 min`.
pub fn time(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..600 => format!("{seconds} s"),
        600..7_200 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
    }
}

/// Returns a number of bytes in words: `100 B`, `64 KiB`.
pub fn bytes(bytes: u32) -> String {
    const KIB: u32 = 1024;
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..10_000_000 => format!("{} KiB", (bytes + KIB / 2) / KIB),
        _ => format!("{} MiB", (bytes / KIB + KIB / 2) / KIB),
    }
}

fn times(count: u8) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}
