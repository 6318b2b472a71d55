//! What several looks at the sockets show: for how long each has been in its state, and whether its queues move.

use crate::settings::Settings;
use crate::socket::{TcpSocket, TimerKind};
use crate::state::TcpState;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a socket stays in TIME-WAIT (`TCP_TIMEWAIT_LEN` in include/net/tcp.h).
pub const TIME_WAIT: Duration = Duration::from_secs(60);

/// What is known of sockets from earlier looks. Times are given by the caller: it reads no clock.
#[derive(Debug, Default)]
pub struct History {
    seen: BTreeMap<u64, Seen>,
    look: u64,
}

/// A socket, and what earlier looks showed of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// The socket at this look.
    pub socket: TcpSocket,
    /// For how long it has been in its state.
    pub age: Age,
    /// For how long no byte of the send queue was acknowledged; zero if the queue is empty.
    pub send_still: Duration,
    /// For how long the program has read nothing, as observed, although there is something to read; zero otherwise.
    pub recv_still: Duration,
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
}

impl Progress {
    /// Notes the number of bytes at a look. Returns for how long it has not changed.
    fn note(&mut self, now: Duration, bytes: u64, has_queue: bool) -> Duration {
        if self.bytes != bytes || !has_queue {
            *self = Self { bytes, first: now, still_then: Duration::ZERO };
        }
        if has_queue { self.still_then + now.saturating_sub(self.first) } else { Duration::ZERO }
    }
}

impl History {
    /// Begins a look: forgets the sockets that the look before did not show.
    pub fn begin(&mut self) {
        let last = self.look;
        self.seen.retain(|_, seen| seen.look == last);
        self.look += 1;
    }

    /// Adds a socket to the look that [`begin`](Self::begin) began. `now` is the time on any clock that does not go back.
    pub fn observe(&mut self, now: Duration, socket: TcpSocket, settings: &Settings) -> Observed {
        let look = self.look;
        let is_later = look > 1;
        let acknowledged = socket.traffic.map_or(0, |traffic| traffic.acknowledged);
        let read = socket.traffic.map_or(0, |traffic| traffic.received.saturating_sub(socket.unread().into()));
        let has_unread = socket.unread() > 0;
        let has_unsent = socket.unacknowledged() > 0;
        let seen = self.seen.entry(socket.cookie).or_insert_with(|| Seen {
            look,
            state: socket.state,
            first: now,
            age_then: first_age(&socket, settings, is_later),
            sent: Progress { bytes: acknowledged, first: now, still_then: still(&socket) },
            read: Progress { bytes: read, first: now, still_then: Duration::ZERO },
        });
        if seen.state != socket.state {
            seen.state = socket.state;
            seen.first = now;
            seen.age_then = first_age(&socket, settings, true);
        }
        seen.look = look;
        let watched = Age { time: seen.age_then.time + now.saturating_sub(seen.first), ..seen.age_then };
        Observed {
            age: known_age(&socket, settings).unwrap_or(watched),
            send_still: seen.sent.note(now, acknowledged, has_unsent),
            recv_still: seen.read.note(now, read, has_unread),
            socket,
        }
    }
}

/// Returns the age that a timer of the kernel tells.
fn known_age(socket: &TcpSocket, settings: &Settings) -> Option<Age> {
    let timer = socket.timer.filter(|timer| timer.kind == TimerKind::TimeWait)?;
    let whole = if socket.state == TcpState::TimeWait { TIME_WAIT } else { settings.fin_timeout };
    Some(Age { time: whole.saturating_sub(timer.expires), is_minimum: false })
}

/// Returns the age of a socket that was not seen in this state before. If there was a look before, it has not been in it
/// for longer than since then.
fn first_age(socket: &TcpSocket, settings: &Settings, is_later: bool) -> Age {
    let quiet = match socket.state {
        // The FIN, or the acknowledgment of one's own FIN, was the last that arrived, if nothing was sent after it.
        TcpState::CloseWait | TcpState::FinWait2 => socket.traffic.map(|traffic| traffic.last_acknowledged),
        _ => None,
    };
    // Nobody asks when a conversation began, and an open one need not be observed all the time.
    let is_minimum = !is_later || socket.state == TcpState::Established;
    let age = Age { time: quiet.unwrap_or_default(), is_minimum };
    known_age(socket, settings).unwrap_or(age)
}

/// Returns for how long the send queue has at least not moved, as one look can tell: nothing was acknowledged, or, for a
/// peer whose window is zero and who acknowledges each probe, no data was sent.
fn still(socket: &TcpSocket) -> Duration {
    let Some(traffic) = socket.traffic else { return Duration::ZERO };
    match socket.timer.map(|timer| timer.kind) {
        Some(TimerKind::WindowProbe) => traffic.last_sent.max(traffic.last_acknowledged),
        _ => traffic.last_acknowledged,
    }
}
