//! What one side does, and when: the words that scenarios and networks are made of.

use std::fmt;

/// Virtual time in milliseconds since the connection began.
pub type Millis = u64;

/// What one side does besides talking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Nothing: it only reacts.
    Nothing,
    /// One thing, at one point of the conversation.
    Do(Action, Point),
}

/// How a side ends its part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// As it should: the client closes, the server drains.
    Close,
    /// FIN from below the protocol, as a program that calls `shutdown(SHUT_WR)`; it reads on.
    HalfClose,
    /// The socket is closed under the protocol. With unread input that is RST, otherwise FIN.
    Drop,
    /// It reads no more, and closes the socket when there is unread input: RST.
    DropUnread,
    /// RST at once, as with linger time zero.
    Abort,
    /// The process dies, and its kernel closes the socket: as [`Action::Drop`], for the host as a whole.
    Crash,
    /// Power loss: from now on it sends nothing and hears nothing.
    Vanish,
}

/// A point of the conversation, defined by what was sent and got so far, and so the same on every backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// The client has the answer to its first request, and nothing is under way.
    Idle,
    /// The client has sent its second request, the server has not got it.
    RequestInFlight,
    /// The server has sent the answer to the second request, the client has not got it.
    AnswerInFlight,
    /// A GOAWAY was sent.
    Draining,
    /// A last word was sent, and the other side has not got it.
    LastWordInFlight,
    /// A FIN was sent.
    Finishing,
}

/// Why something is not a scenario, or cannot be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(pub String);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}

impl Plan {
    /// At which point something is done.
    pub fn point(self) -> Option<Point> {
        match self {
            Self::Nothing => None,
            Self::Do(_, point) => Some(point),
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        if text == "none" {
            return Ok(Self::Nothing);
        }
        let Some((action, point)) = text.split_once('@') else {
            return Err(Refusal(format!("a plan is none or ACTION@POINT, not {text:?}")));
        };
        Ok(Self::Do(Action::parse(action)?, Point::parse(point)?))
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("none"),
            Self::Do(action, point) => write!(f, "{}@{}", action.id(), point.id()),
        }
    }
}

impl Action {
    /// All actions.
    pub const ALL: [Self; 7] =
        [Self::Close, Self::HalfClose, Self::Drop, Self::DropUnread, Self::Abort, Self::Crash, Self::Vanish];

    /// Its part of an id.
    pub fn id(self) -> &'static str {
        match self {
            Self::Close => "close",
            Self::HalfClose => "half-close",
            Self::Drop => "drop",
            Self::DropUnread => "drop-unread",
            Self::Abort => "abort",
            Self::Crash => "crash",
            Self::Vanish => "vanish",
        }
    }

    fn parse(text: &str) -> Result<Self, Refusal> {
        pick("action", text, &Self::ALL, Self::id)
    }
}

impl Point {
    /// All points.
    pub const ALL: [Self; 6] = [
        Self::Idle,
        Self::RequestInFlight,
        Self::AnswerInFlight,
        Self::Draining,
        Self::LastWordInFlight,
        Self::Finishing,
    ];

    /// Its part of an id.
    pub fn id(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::RequestInFlight => "request-in-flight",
            Self::AnswerInFlight => "answer-in-flight",
            Self::Draining => "draining",
            Self::LastWordInFlight => "last-word-in-flight",
            Self::Finishing => "finishing",
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        pick("point", text, &Self::ALL, Self::id)
    }
}

/// Finds the one whose id is `text`.
pub(crate) fn pick<T: Copy>(what: &str, text: &str, all: &[T], id: fn(T) -> &'static str) -> Result<T, Refusal> {
    all.iter().copied().find(|one| id(*one) == text).ok_or_else(|| {
        let known: Vec<_> = all.iter().map(|one| id(*one)).collect();
        Refusal(format!("no {what} {text:?}; there are {}", known.join(", ")))
    })
}
