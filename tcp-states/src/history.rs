//! What several looks at the sockets show: for how long each has been in its state, and whether its queues move.

use crate::socket::{TcpSocket, TimerKind, Traffic};
use crate::state::TcpState;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a socket stays in TIME-WAIT (`TCP_TIMEWAIT_LEN` in include/net/tcp.h).
pub const TIME_WAIT: Duration = Duration::from_secs(60);

/// An age that may be longer by this much is called exact. Looks are a second apart, or a little more.
const EXACT: Duration = Duration::from_millis(1_500);

/// What is known of sockets from earlier looks. Times are given by the caller: it reads no clock.
#[derive(Debug, Default)]
pub struct History {
    seen: BTreeMap<u64, Seen>,
    look: u64,
    now: Duration,
    /// Time since the look before; `None` at the first look.
    since_last: Option<Duration>,
}

/// A socket, and what earlier looks showed of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// The socket at this look.
    pub socket: TcpSocket,
    /// For how long it has been in its state.
    pub age: Age,
    /// For how long nothing of the send queue was acknowledged; zero if the queue is empty.
    pub send_still: Duration,
    /// For how long the program has read nothing, as observed, although there is something to read; zero otherwise.
    pub recv_still: Duration,
    /// Whether an earlier look, in this state, showed that the program reads.
    pub is_reading: bool,
}

/// A time in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Age {
    /// The time.
    pub time: Duration,
    /// Whether it may be longer: the socket was in this state at the first look, and the kernel does not tell since
    /// when.
    pub is_minimum: bool,
}

#[derive(Debug)]
struct Seen {
    look: u64,
    state: TcpState,
    /// When it was first seen in this state, and its age then.
    first: Duration,
    age_then: Age,
    sent: Progress,
    read: Progress,
}

/// A number of bytes, and since when it has not changed: `still_then` before it was first seen, at `first`.
#[derive(Clone, Copy, Debug)]
struct Progress {
    bytes: u64,
    first: Duration,
    still_then: Duration,
    has_moved: bool,
}

impl Progress {
    fn new(bytes: u64, first: Duration, still_then: Duration) -> Self {
        Self { bytes, first, still_then, has_moved: false }
    }

    /// Notes the number of bytes at a look. Returns for how long it has not changed.
    fn note(&mut self, now: Duration, bytes: u64, has_queue: bool) -> Duration {
        if self.bytes != bytes || !has_queue {
            *self = Self { has_moved: true, ..Self::new(bytes, now, Duration::ZERO) };
        }
        if has_queue { self.still_then + now.saturating_sub(self.first) } else { Duration::ZERO }
    }
}

impl History {
    /// Begins a look: forgets the sockets that the last two looks did not show. One look can miss a socket, because the
    /// kernel shows them in parts. `now` is the time on any clock that does
    /// not go back.
    pub fn begin(&mut self, now: Duration) {
        let last = self.look;
        self.seen.retain(|_, seen| seen.look + 1 >= last);
        self.since_last = (last > 0).then(|| now.saturating_sub(self.now));
        self.now = now;
        self.look += 1;
    }

    /// Adds a socket to the look that [`begin`](Self::begin) began. An open socket without a queue need not be added.
    pub fn observe(&mut self, socket: TcpSocket) -> Observed {
        let (now, look, since_last) = (self.now, self.look, self.since_last);
        let acknowledged = socket.traffic.map_or(0, |traffic| traffic.acknowledged);
        let read = socket.traffic.map_or(0, |traffic| traffic.received.saturating_sub(socket.recv_queue.into()));
        let seen = self.seen.entry(socket.cookie).or_insert_with(|| Seen {
            look,
            state: socket.state,
            first: now,
            age_then: first_age(&socket, since_last),
            sent: Progress::new(acknowledged, now, still(&socket, since_last)),
            read: Progress::new(read, now, Duration::ZERO),
        });
        if seen.state != socket.state {
            seen.state = socket.state;
            seen.first = now;
            // It was in another state at the look before.
            seen.age_then = first_age(&socket, Some(since_last.unwrap_or_default()));
            seen.read.has_moved = false;
        }
        seen.look = look;
        let watched = Age { time: seen.age_then.time + now.saturating_sub(seen.first), ..seen.age_then };
        Observed {
            age: time_wait_age(&socket).unwrap_or(watched),
            send_still: seen.sent.note(now, acknowledged, socket.send_queue > 0),
            recv_still: seen.read.note(now, read, socket.unread() > 0),
            is_reading: seen.read.has_moved,
            socket,
        }
    }
}

/// Returns the age that the timer of TIME-WAIT tells. That of an orphan in FIN-WAIT-2 may have any length
/// (`TCP_LINGER2`), so it tells only the time that is left.
fn time_wait_age(socket: &TcpSocket) -> Option<Age> {
    let timer = socket.timer.filter(|_| socket.state == TcpState::TimeWait)?;
    Some(Age { time: TIME_WAIT.saturating_sub(timer.expires), is_minimum: false })
}

/// Returns the age of a socket that was not seen in this state before: it is not older than the look before, if there
/// was one.
fn first_age(socket: &TcpSocket, since_last: Option<Duration>) -> Age {
    let quiet = match socket.state {
        // The FIN, or the acknowledgment of one's own FIN, was the last that arrived, if nothing was sent after it.
        TcpState::CloseWait | TcpState::FinWait2 => socket.traffic.map(|traffic| traffic.last_acknowledged),
        // Nothing can be sent before a connection is accepted.
        TcpState::Established if socket.is_orphan() => socket.traffic.map(|traffic| traffic.last_acknowledged),
        _ => None,
    };
    let time = quiet.unwrap_or_default();
    // An open socket is not observed all the time, and nobody asks when the conversation began.
    match since_last.filter(|_| socket.state != TcpState::Established) {
        Some(since_last) => {
            let time = time.min(since_last);
            Age { time, is_minimum: since_last - time > EXACT }
        }
        None => Age { time, is_minimum: true },
    }
}

/// Returns for how long the send queue has at least not moved, as one look can tell. If there was a look before, the
/// queue was empty then.
fn still(socket: &TcpSocket, since_last: Option<Duration>) -> Duration {
    let Some(traffic) = socket.traffic else { return Duration::ZERO };
    let still = match socket.timer.map(|timer| timer.kind) {
        // The window is closed. The peer may acknowledge each question for it.
        Some(TimerKind::WindowProbe) => traffic.last_sent.max(traffic.last_acknowledged),
        Some(TimerKind::Retransmission) if socket.retransmissions > 0 => {
            since_first_sent(socket, &traffic).min(traffic.last_acknowledged)
        }
        _ => traffic.last_sent.min(traffic.last_acknowledged),
    };
    since_last.map_or(still, |since_last| still.min(since_last))
}

/// Returns the time since the oldest segment was sent first. Each retransmission has doubled the timeout.
fn since_first_sent(socket: &TcpSocket, traffic: &Traffic) -> Duration {
    let timeout = traffic.retransmission_timeout;
    let expires = socket.timer.map(|timer| timer.expires).unwrap_or_default();
    let before = timeout - timeout / (1 << socket.retransmissions.min(31));
    before + timeout.saturating_sub(expires)
}
