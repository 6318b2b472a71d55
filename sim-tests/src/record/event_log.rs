//! The event log: everything that both ends send, receive and do, in one global order.

use crate::scenario::plan::{Action, Point};
use crate::scenario::scheduler::Points;
use crate::support::Millis;
use echo_core::{Outcome, Role};
use std::fmt;
use std::sync::Arc;

/// A unit on the wire, as a decoder names it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Unit {
    /// The preface of echo/1.
    Preface,
    /// A request (ECHO, or a plain line), with its number.
    Request(u64),
    /// An answer (REPLY, or a plain line behind a timestamp), with the number of its request.
    Answer(u64),
    /// GOAWAY.
    GoAway {
        /// The count in the frame.
        last: u64,
        /// The close code.
        code: u16,
    },
    /// CLOSE.
    Close {
        /// The count in the frame.
        last: u64,
        /// The close code.
        code: u16,
        /// The server announces that it sends FIN first.
        fin_first: bool,
    },
    /// Another well-formed unit: a line, or a frame that no program here sends.
    Other(String),
    /// Input that cannot be decoded.
    Broken(String),
    /// FIN, the end of a direction.
    Fin,
    /// RST.
    Reset,
}

/// An event at one end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum LogEvent {
    /// Its transport took this from it.
    Sent(Unit),
    /// It read this from its transport.
    Got(Unit),
    /// It carried out this action of its plan.
    Did(Action),
    /// Server: it accepted the request with this number. Only a backend with access to the core logs this.
    Accepted(u64),
    /// Client: it handed the answer with this number to its user.
    Handed(u64),
    /// Its conversation is over.
    Ended(Outcome),
    /// It closed its socket while input was unread.
    DroppedUnread,
    /// Its transport takes no more data, so it is stopped at this point.
    Stalled(Point),
    /// A relay sent this to it.
    Relayed(Unit),
    /// The network starts to hold what this end sends.
    Held,
    /// The network is cut, in both directions.
    Cut,
}

/// One entry of the event log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct LogEntry {
    /// The virtual time.
    pub at: Millis,
    /// The side that it concerns.
    pub side: Role,
    /// The event.
    pub what: LogEvent,
}

/// The event log.
#[derive(Clone, Debug, Default)]
pub struct EventLog {
    now: Millis,
    entries: Vec<LogEntry>,
    witness: Option<Arc<dyn Observer>>,
}

/// Observes an event log while it is written.
pub(crate) trait Observer: fmt::Debug + Send + Sync {
    /// Returns the virtual time.
    fn now(&self) -> Millis;

    /// Is called before each entry is added.
    fn noted(&self);
}

impl EventLog {
    /// Sets the time, unless it is later already.
    pub fn advance(&mut self, now: Millis) {
        self.now = self.now.max(now);
    }

    /// Returns the virtual time of the log.
    pub fn now(&self) -> Millis {
        self.now
    }

    /// Takes the time from `witness` from now on, and notifies it of every entry.
    #[cfg(feature = "packet")]
    pub(crate) fn watch(&mut self, witness: Arc<dyn Observer>) {
        self.witness = Some(witness);
    }

    /// Returns whether an observer is set, that is, whether the conversation has begun.
    #[cfg(feature = "packet")]
    pub(crate) fn is_watched(&self) -> bool {
        self.witness.is_some()
    }

    /// Adds an entry.
    pub fn note(&mut self, side: Role, what: LogEvent) {
        if let Some(witness) = &self.witness {
            self.now = self.now.max(witness.now());
            witness.noted();
        }
        self.entries.push(LogEntry { at: self.now, side, what });
    }

    /// Logs that `side` is stopped at `point`, the first time only.
    pub(crate) fn note_stalled(&mut self, side: Role, point: Point) {
        if !self.is_at(point, side) {
            self.note(side, LogEvent::Stalled(point));
        }
    }

    /// Returns all entries.
    pub fn entries(&self) -> &[LogEntry] {
        &self.entries
    }

    /// Consumes the log and returns all entries.
    pub fn into_entries(self) -> Vec<LogEntry> {
        self.entries
    }

    /// Returns whether `side` has sent a unit that matches `like`.
    pub fn has_sent(&self, side: Role, like: impl Fn(&Unit) -> bool) -> bool {
        self.entries.iter().any(|e| e.side == side && matches!(&e.what, LogEvent::Sent(unit) if like(unit)))
    }

    /// Returns whether `side` has received a unit that matches `like`.
    pub fn has_got(&self, side: Role, like: impl Fn(&Unit) -> bool) -> bool {
        self.entries.iter().any(|e| e.side == side && matches!(&e.what, LogEvent::Got(unit) if like(unit)))
    }

    /// Returns whether the conversation is at `point`, as seen from `side`.
    pub fn is_at(&self, point: Point, side: Role) -> bool {
        let under_way =
            |from: Role, like: fn(&Unit) -> bool| self.has_sent(from, like) && !self.has_got(from.peer(), like);
        let somebody = |holds: &dyn Fn(Role) -> bool| holds(Role::Client) || holds(Role::Server);
        match point {
            Point::Connecting => !self.entries.iter().any(|entry| matches!(entry.what, LogEvent::Sent(_))),
            Point::InPreface | Point::InsideFrame | Point::PeerNotReading => {
                self.entries.iter().any(|entry| entry.side == side && entry.what == LogEvent::Stalled(point))
            }
            Point::Idle => self.has_got(Role::Client, |unit| *unit == Unit::Answer(1)),
            Point::RequestInFlight => under_way(Role::Client, |unit| *unit == Unit::Request(2)),
            Point::AnswerInFlight => under_way(Role::Server, |unit| *unit == Unit::Answer(2)),
            Point::Draining => somebody(&|side| self.has_sent(side, is_goaway)),
            Point::CloseInFlight => somebody(&|side| under_way(side, is_close)),
            Point::Finishing => somebody(&|side| self.has_sent(side, is_fin)),
            Point::AfterGoAway => self.has_got(side, is_goaway),
            Point::AfterClose => self.has_got(side, is_close),
            Point::AfterFin => self.has_got(side, is_fin),
        }
    }
}

pub(crate) fn is_goaway(unit: &Unit) -> bool {
    matches!(unit, Unit::GoAway { .. })
}

pub(crate) fn is_close(unit: &Unit) -> bool {
    matches!(unit, Unit::Close { .. })
}

pub(crate) fn is_fin(unit: &Unit) -> bool {
    *unit == Unit::Fin
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Preface => f.write_str("preface"),
            Self::Request(seq) => write!(f, "request {seq}"),
            Self::Answer(seq) => write!(f, "answer {seq}"),
            Self::GoAway { last, code } => write!(f, "GOAWAY {last} ({code})"),
            Self::Close { last, code, fin_first: false } => write!(f, "CLOSE {last} ({code})"),
            Self::Close { last, code, fin_first: true } => write!(f, "CLOSE {last} ({code}, FIN first)"),
            Self::Other(text) => write!(f, "{text:?}"),
            Self::Broken(text) => write!(f, "broken: {text}"),
            Self::Fin => f.write_str("FIN"),
            Self::Reset => f.write_str("RST"),
        }
    }
}

impl fmt::Display for LogEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sent(unit) => write!(f, "sent {unit}"),
            Self::Got(unit) => write!(f, "got {unit}"),
            Self::Did(action) => write!(f, "does {}", action.id()),
            Self::Accepted(seq) => write!(f, "accepted request {seq}"),
            Self::Handed(seq) => write!(f, "handed over answer {seq}"),
            Self::Ended(outcome) => write!(f, "ended {outcome}"),
            Self::DroppedUnread => f.write_str("closes unread"),
            Self::Stalled(point) => write!(f, "can say no more ({})", point.id()),
            Self::Relayed(unit) => write!(f, "is sent {unit} by the relay"),
            Self::Held => f.write_str("is held from here on"),
            Self::Cut => f.write_str("is cut off"),
        }
    }
}
impl Points for EventLog {
    fn is_at(&self, point: Point, side: Role) -> bool {
        self.is_at(point, side)
    }
}
