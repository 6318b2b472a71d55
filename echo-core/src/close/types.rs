//! Input and output types of the close machine.

use crate::error::{CloseCode, Violation};
use crate::timers::Deadline;

/// An end of the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Role {
    /// Makes requests.
    Client,
    /// Accepts and answers them.
    Server,
}

impl Role {
    /// Both roles, the client first.
    pub const BOTH: [Self; 2] = [Self::Client, Self::Server];

    /// Returns the role of the other end.
    pub fn peer(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

    /// Returns `client` or `server`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// State of one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HalfState {
    /// No GOAWAY, CLOSE or FIN was sent.
    Open,
    /// GOAWAY was sent: no more requests (client), please finish (server).
    Leaving,
    /// CLOSE was sent in the usual order.
    Closed,
    /// CLOSE was sent out of the usual order: an error or a refusal. Further input is discarded.
    Failed,
    /// FIN was sent.
    Finished,
}

/// The CLOSE frames that a protocol has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CloseHandshake {
    /// No CLOSE: a side closes by FIN, which proves nothing.
    None,
    /// Only the server sends CLOSE: a clean end is a proof for the client, not for the server.
    Server,
    /// The server sends CLOSE and the client acknowledges it with its own: both ends can be clean.
    Acknowledged,
}

/// The order of answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Order {
    /// In the order of the requests.
    Asked,
    /// In any order.
    Any,
}

/// The choices of a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Policy {
    /// The protocol's CLOSE frames.
    pub handshake: CloseHandshake,
    /// The order of the protocol's answers.
    pub order: Order,
    /// The side that sends FIN first, and so holds TIME_WAIT (RFC 9293 section 3.6). A client learns it from the
    /// server.
    pub first_fin: Role,
}

impl Policy {
    /// echo/1: acknowledged CLOSE frames, answers in order, the client sends FIN first.
    pub const FRAMED: Self =
        Self { handshake: CloseHandshake::Acknowledged, order: Order::Asked, first_fin: Role::Client };
    /// The plain wire: no CLOSE, a side sends FIN to leave.
    pub const PLAIN: Self = Self { handshake: CloseHandshake::None, order: Order::Asked, first_fin: Role::Client };
}

/// Why a side ends the conversation: the body of GOAWAY and CLOSE.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CloseReason {
    /// The code.
    pub code: CloseCode,
    /// The reason, at most 123 bytes on the wire.
    pub text: String,
}

impl CloseReason {
    /// Creates a close reason from a code and a text.
    pub fn new(code: CloseCode, reason: impl Into<String>) -> Self {
        Self { code, text: reason.into() }
    }

    /// Returns code 1000 without a text.
    pub fn normal() -> Self {
        Self::new(CloseCode::NORMAL, "")
    }
}

/// An input of the machine: an event or a command.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum MachineEvent {
    /// The user of a client makes a request.
    Send,
    /// The server queued the answer to the accepted request with this number.
    Answered(u64),
    /// The user ends the conversation. A code outside the usual order becomes 1001 (clause 6.1).
    Leave(CloseReason),
    /// The user ends with an error or a refusal. A code of the usual order becomes 1011 (clause 6.1).
    Fail(CloseReason),
    /// The user aborts.
    Abort,
    /// A request with this number was received.
    Request(u64),
    /// An answer was received, with the number of its request.
    Answer(u64),
    /// The peer's GOAWAY was received.
    GoAway {
        /// From a client: the number of its last request. From a server: 0.
        last: u64,
    },
    /// The peer's CLOSE was received.
    Close {
        /// From a server: the last request it accepted. From a client: the last answer it received.
        last: u64,
        /// Why the peer ends.
        close_reason: CloseReason,
        /// The side that sends FIN first, from the flag of the peer's CLOSE.
        first_fin: Role,
    },
    /// A frame was received that has no meaning in this protocol, but is allowed before a CLOSE.
    Other,
    /// The peer broke the protocol.
    Violation(Violation),
    /// The peer's FIN was received.
    Fin,
    /// The transport was reset, or failed.
    Reset,
    /// A deadline passed.
    Deadline(Deadline),
}

/// An output of the machine. Carry the actions out in the order returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// The request or answer counts: number it, run it, deliver it.
    Deliver,
    /// The received item does not count: drop it.
    Discard,
    /// Send GOAWAY with [`Machine::last`](super::Machine::last) and
    /// [`Machine::close_reason`](super::Machine::close_reason).
    GoAway,
    /// Send the CLOSE with [`Machine::last`](super::Machine::last) and
    /// [`Machine::close_reason`](super::Machine::close_reason).
    Close,
    /// Send FIN after all queued output.
    Fin,
    /// Drop queued output and close the transport without an abort. The transport still delivers the bytes it has
    /// taken, and then sends FIN.
    CloseTransport,
    /// Drop queued output and abort the transport: it deletes the bytes it has taken, and sends RST if it can.
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

    /// Returns whether `action` is in the list.
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
