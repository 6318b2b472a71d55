//! The words the close machine is spoken to with: who, how far, what happened, what is to be done.

use crate::error::{CloseCode, Violation};
use crate::timers::Deadline;

/// Which end of the conversation this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Makes requests.
    Client,
    /// Accepts and answers them.
    Server,
}

impl Role {
    /// Both, the client first.
    pub const BOTH: [Self; 2] = [Self::Client, Self::Server];

    /// The other end.
    pub fn peer(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

    /// `client` or `server`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// How far one direction has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HalfState {
    /// Nothing is said about an end.
    Open,
    /// GOAWAY: no more requests (client), please finish (server).
    Leaving,
    /// The CLOSE, in the usual order.
    Closed,
    /// The CLOSE, out of the usual order: an error or a refusal. What still comes in is discarded.
    Failed,
    /// FIN.
    Finished,
}

/// What CLOSE frames a protocol has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CloseHandshake {
    /// None: closing is FIN, and proves nothing.
    None,
    /// The server's only: the client's clean end is a proof, the server's is not.
    Server,
    /// The server's, and the client's that acknowledges it: both ends can be clean.
    Acknowledged,
}

/// In which order answers come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Order {
    /// In the order of the requests.
    Asked,
    /// In any order.
    Any,
}

/// What a protocol chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Policy {
    /// Its CLOSE frames.
    pub words: CloseHandshake,
    /// The order of its answers.
    pub order: Order,
    /// Who sends FIN first, and so holds TIME_WAIT (RFC 9293 section 3.6). A client learns it from the server.
    pub first_fin: Role,
}

impl Policy {
    /// echo/1: acknowledged CLOSE frames, answers in order, the client sends FIN first.
    pub const FRAMED: Self = Self { words: CloseHandshake::Acknowledged, order: Order::Asked, first_fin: Role::Client };
    /// The plain wire: no CLOSE, who leaves sends FIN.
    pub const PLAIN: Self = Self { words: CloseHandshake::None, order: Order::Asked, first_fin: Role::Client };
}

/// Why a side leaves: the body of GOAWAY and CLOSE.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CloseReason {
    /// The code.
    pub code: CloseCode,
    /// The reason, at most 123 bytes on the wire.
    pub text: String,
}

impl CloseReason {
    /// A code and a reason.
    pub fn new(code: CloseCode, reason: impl Into<String>) -> Self {
        Self { code, text: reason.into() }
    }

    /// 1000 without a reason.
    pub fn normal() -> Self {
        Self::new(CloseCode::NORMAL, "")
    }
}

/// What happened, or what is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum MachineEvent {
    /// The user of a client makes a request.
    Send,
    /// The server answered the request it accepted as this number: the answer is queued.
    Answered(u64),
    /// The user wants to end. A code that is not of the usual order becomes 1001 (clause 6.1).
    Leave(CloseReason),
    /// The user refuses to go on: an error of its own, a refusal. A code of the usual order becomes 1011 (clause 6.1).
    Fail(CloseReason),
    /// The user wants to let go at once.
    Abort,
    /// A request came, with its number.
    Request(u64),
    /// An answer came, with the number of its request.
    Answer(u64),
    /// The peer's GOAWAY came. From a client: with the number of its last request.
    GoAway {
        /// The number.
        last: u64,
    },
    /// The peer's CLOSE came.
    Close {
        /// From a server: the last request it accepted. From a client: the last answer it got.
        last: u64,
        /// Why.
        close_reason: CloseReason,
        /// Who is to send FIN first, if the peer's word says so.
        first_fin: Role,
    },
    /// Something came that means nothing to this protocol but is allowed before a CLOSE.
    Other,
    /// Something came that breaks the protocol.
    Violation(Violation),
    /// The peer's FIN came.
    Fin,
    /// The transport was reset, or failed.
    Reset,
    /// A deadline passed.
    Deadline(Deadline),
}

/// What is to be done, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// The request or answer counts: number it, run it, hand it over.
    Deliver,
    /// It does not: forget it.
    Discard,
    /// Send GOAWAY with [`Machine::last`](super::Machine::last) and [`Machine::close_reason`](super::Machine::close_reason).
    GoAway,
    /// Send the CLOSE with [`Machine::last`](super::Machine::last) and
    /// [`Machine::close_reason`](super::Machine::close_reason).
    Close,
    /// Send FIN behind all that is queued.
    Fin,
    /// Let go of the transport, what is queued included, in the ordinary way: what it has taken it goes on delivering,
    /// and FIN behind it.
    LetGo,
    /// Let go of the transport at once, what it has taken included: by RST, if it has one.
    Abort,
}

/// Up to three [`Action`]s, in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Actions {
    list: [Option<Action>; 3],
}

impl Actions {
    pub(super) fn push(&mut self, action: Action) {
        if let Some(free) = self.list.iter_mut().find(|slot| slot.is_none()) {
            *free = Some(action);
        }
    }

    /// Whether `action` is among them.
    pub fn contains(&self, action: Action) -> bool {
        self.list.contains(&Some(action))
    }
}

impl IntoIterator for Actions {
    type Item = Action;
    type IntoIter = std::iter::Flatten<std::array::IntoIter<Option<Action>, 3>>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter().flatten()
    }
}
