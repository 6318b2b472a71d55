//! What the state, the queues and the timers of a socket mean, in words.

use crate::history::{Age, Observed};
use crate::socket::TimerKind;
use crate::state::TcpState;
use std::fmt::Write as _;
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

/// What is the matter with a socket, how much it hurts, and a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// What is the matter.
    pub finding: Finding,
    /// How much it hurts.
    pub harm: Harm,
    /// The sentence, without a full stop.
    pub text: String,
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

/// Says what is the matter with a socket. `holder` names who holds it, or, for a connection that is not accepted, who
/// listens. What does not move for `patience` is stuck.
pub fn diagnose(observed: &Observed, holder: &str, patience: Duration) -> Diagnosis {
    let socket = &observed.socket;
    if let Some(diagnosis) = queue(observed, holder, patience) {
        return diagnosis;
    }
    match socket.state {
        TcpState::CloseWait => close_wait(observed, holder, patience),
        TcpState::FinWait2 => fin_wait_2(observed, holder, patience),
        TcpState::FinWait1 | TcpState::Closing | TcpState::LastAck => {
            let what = if socket.state == TcpState::Closing { "both sides have sent FIN; its own" } else { "its FIN" };
            let harm = if observed.age.time < patience { Harm::None } else { Harm::Passing };
            Diagnosis { finding: Finding::Closing, harm, text: format!("{what} is not acknowledged yet") }
        }
        TcpState::TimeWait => {
            let left = socket.timer.map(|timer| timer.expires).unwrap_or_default();
            let text = format!("normal after closing first, {} left", time(left));
            Diagnosis { finding: Finding::TimeWait, harm: Harm::None, text }
        }
        TcpState::Established | TcpState::SynSent | TcpState::SynReceived | TcpState::Listen | TcpState::Closed => {
            Diagnosis { finding: Finding::Open, harm: Harm::None, text: "open".to_owned() }
        }
    }
}

/// What a queue that does not move says.
fn queue(observed: &Observed, holder: &str, patience: Duration) -> Option<Diagnosis> {
    let Observed { socket, send_still, recv_still, .. } = observed;
    let harm = if socket.is_orphan() { Harm::Passing } else { Harm::Stuck };
    let orphan =
        if socket.is_orphan() { "; no process holds it, so the kernel gives up after some retries" } else { "" };
    let waits = if socket.send_queue > 0 { *send_still } else { Duration::ZERO };
    let is_fin_alone = socket.send_queue > 0 && socket.unacknowledged() == 0;
    let silent = socket.traffic.map(|traffic| traffic.last_acknowledged).unwrap_or_default();
    let is_retrying = socket.timer.is_some_and(|timer| timer.kind == TimerKind::Retransmission);
    if is_retrying && socket.retransmissions > 0 && silent >= patience {
        let what = if is_fin_alone { "FIN".to_owned() } else { bytes(socket.unacknowledged()) };
        let text = format!(
            "{what} sent again {}, no answer for {}: the peer or the way to it is gone{orphan}",
            times(socket.retransmissions),
            time(silent)
        );
        return Some(Diagnosis { finding: Finding::PeerDoesNotAnswer, harm, text });
    }
    if socket.unacknowledged() > 0 && waits >= patience {
        let text = format!(
            "send queue {}, not moving for {}: the peer does not read{orphan}",
            bytes(socket.unacknowledged()),
            time(waits)
        );
        return Some(Diagnosis { finding: Finding::PeerDoesNotRead, harm, text });
    }
    let may_read = matches!(socket.state, TcpState::Established | TcpState::FinWait1 | TcpState::FinWait2);
    if may_read && !socket.is_orphan() && *recv_still >= patience {
        let text = format!(
            "receive queue {}, not moving for {}: {holder} does not read",
            bytes(socket.unread()),
            time(*recv_still)
        );
        return Some(Diagnosis { finding: Finding::ProgramDoesNotRead, harm: Harm::Stuck, text });
    }
    None
}

fn close_wait(observed: &Observed, holder: &str, patience: Duration) -> Diagnosis {
    let Observed { socket, age, .. } = observed;
    let unread = match socket.unread() {
        0 => String::new(),
        unread => format!(", nor read the last {}", bytes(unread)),
    };
    if socket.is_orphan() {
        let harm = if age.time < patience { Harm::None } else { Harm::Stuck };
        let text = format!("the peer has finished{}, and {holder} has not accepted the connection", since(*age));
        return Diagnosis { finding: Finding::NotAccepted, harm, text };
    }
    if quiet(observed) < patience {
        let text = format!("the peer has finished{}, and {holder} has not closed yet{unread}", since(*age));
        return Diagnosis { finding: Finding::HalfClosed, harm: Harm::None, text };
    }
    let program = holder.split(" (").next().unwrap_or(holder);
    let text =
        format!("the peer has finished{}, and {holder} has not closed{unread}: a leak in {program}", since(*age));
    Diagnosis { finding: Finding::NotClosed, harm: Harm::Stuck, text }
}

fn fin_wait_2(observed: &Observed, holder: &str, patience: Duration) -> Diagnosis {
    let Observed { socket, age, .. } = observed;
    if socket.is_orphan() {
        let left = socket.timer.map(|timer| timer.expires).unwrap_or_default();
        let text = format!("orphan: the peer does not close, and the kernel gives up in {}", time(left));
        return Diagnosis { finding: Finding::OrphanWaits, harm: Harm::Passing, text };
    }
    if quiet(observed) < patience {
        let text = format!("{holder} has finished{}, and the peer has not closed yet", since(*age));
        return Diagnosis { finding: Finding::HalfClosed, harm: Harm::None, text };
    }
    let text = format!(
        "{holder} has finished{}, and waits for a peer that does not close; no timer of the kernel ends this",
        since(*age)
    );
    Diagnosis { finding: Finding::PeerDoesNotClose, harm: Harm::Stuck, text }
}

/// Returns for how long the direction that is still open was not used. Keep-alive probes are no use.
fn quiet(observed: &Observed) -> Duration {
    let Some(traffic) = observed.socket.traffic else { return Duration::ZERO };
    let unused = match observed.socket.state {
        TcpState::FinWait2 => traffic.last_received,
        _ => traffic.last_sent.max(traffic.last_acknowledged),
    };
    unused.min(observed.age.time)
}

fn since(age: Age) -> String {
    format!(" {}{} ago", if age.is_minimum { "at least " } else { "" }, time(age.time))
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
    let mut text = String::new();
    let _ = if count == 1 { write!(text, "once") } else { write!(text, "{count} times") };
    text
}
