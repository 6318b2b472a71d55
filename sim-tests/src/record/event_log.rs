//! The event log: everything both ends sent, got and did, in one order, as nobody in the real world could see it.

use crate::scenario::plan::{Action, Point};
use crate::scenario::scheduler::Points;
use crate::support::Millis;
use echo_core::{Outcome, Role};
use std::fmt;
use std::sync::Arc;

/// What travels, as a reader of the wire would name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unit {
    /// The preface of echo/1.
    Preface,
    /// A request (ECHO, or a line), with its number.
    Request(u64),
    /// An answer (REPLY, or a line behind a time), with its request's number.
    Answer(u64),
    /// GOAWAY.
    GoAway {
        /// Its number.
        last: u64,
        /// Its code.
        code: u16,
    },
    /// CLOSE.
    Close {
        /// Its number.
        last: u64,
        /// Its code.
        code: u16,
        /// The server says that it sends FIN first.
        fin_first: bool,
    },
    /// Something else that is well formed: a line, a frame that nobody here sends.
    Other(String),
    /// Something that fits nothing.
    Broken(String),
    /// The end of a direction.
    Fin,
    /// RST.
    Reset,
}

/// What one end did, or what befell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogEvent {
    /// Its transport took this.
    Sent(Unit),
    /// It read this from its transport.
    Got(Unit),
    /// Its plan was carried out.
    Did(Action),
    /// Server: it accepted the request of this number. Only a backend that can look inside says so.
    Accepted(u64),
    /// Client: it handed the answer of this number to its user.
    Handed(u64),
    /// Its conversation is over.
    Ended(Outcome),
    /// It found something to read, and closed its socket without reading it.
    LetGo,
    /// Its transport takes no more of what it has to say, so that it stands at this point.
    Stalled(Point),
    /// A relay has sent this to it.
    Relayed(Unit),
    /// The network begins to hold what this end sends.
    Held,
    /// The network is cut, both ways.
    Cut,
}

/// One line of the event log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// When.
    pub at: Millis,
    /// Whom it is about.
    pub side: Role,
    /// What.
    pub what: LogEvent,
}

/// The log, and what can be read off it.
#[derive(Clone, Debug, Default)]
pub struct EventLog {
    now: Millis,
    entries: Vec<LogEntry>,
    witness: Option<Arc<dyn Observer>>,
}

/// Who looks at an event log while it is written.
pub(crate) trait Observer: fmt::Debug + Send + Sync {
    /// What time it is.
    fn now(&self) -> Millis;

    /// A line was written.
    fn noted(&self);
}

impl EventLog {
    /// Time goes on.
    pub fn advance(&mut self, now: Millis) {
        self.now = self.now.max(now);
    }

    /// The time.
    pub fn now(&self) -> Millis {
        self.now
    }

    /// From now on `witness` tells the time, and is told of every line.
    #[cfg(feature = "packet")]
    pub(crate) fn watch(&mut self, witness: Arc<dyn Observer>) {
        self.witness = Some(witness);
    }

    /// Whether somebody looks: the conversation has begun.
    #[cfg(feature = "packet")]
    pub(crate) fn is_watched(&self) -> bool {
        self.witness.is_some()
    }

    /// Writes a line.
    pub fn note(&mut self, side: Role, what: LogEvent) {
        if let Some(witness) = &self.witness {
            self.now = self.now.max(witness.now());
            witness.noted();
        }
        self.entries.push(LogEntry { at: self.now, side, what });
    }

    /// Writes down that `side` can say no more, the first time that it stands at `point`.
    pub(crate) fn note_stalled(&mut self, side: Role, point: Point) {
        if !self.is_at(point, side) {
            self.note(side, LogEvent::Stalled(point));
        }
    }

    /// All lines.
    pub fn entries(&self) -> &[LogEntry] {
        &self.entries
    }

    /// All lines, for good.
    pub fn into_entries(self) -> Vec<LogEntry> {
        self.entries
    }

    /// Whether `side` has sent something like this.
    pub fn has_sent(&self, side: Role, like: impl Fn(&Unit) -> bool) -> bool {
        self.entries.iter().any(|e| e.side == side && matches!(&e.what, LogEvent::Sent(unit) if like(unit)))
    }

    /// Whether `side` has got something like this.
    pub fn has_got(&self, side: Role, like: impl Fn(&Unit) -> bool) -> bool {
        self.entries.iter().any(|e| e.side == side && matches!(&e.what, LogEvent::Got(unit) if like(unit)))
    }

    /// Whether the conversation, as far as it concerns `side`, is at `point`.
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
            Self::LetGo => f.write_str("lets go"),
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
