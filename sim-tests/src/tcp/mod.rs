//! TCP as data: segments, their fates, and each socket's states (RFC 9293). A record can be read without the stack that
//! made it.

mod edge;
mod segment;

pub use edge::{CLOSING, Edge, OPENING, Trigger};
pub use segment::{Flags, PacketFate, Segment, corrupted, parse};
pub use tcp_states::TcpState;

use crate::support::Millis;
use echo_core::Role;
use std::fmt;

/// A socket of one host. Numbers count from 0 in the order of creation.
pub type SocketId = u32;

/// The cause of a socket's state change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Cause {
    /// A segment arrived; its number is [`Segment::index`].
    Arrival(u32),
    /// A timer of the stack expired: TIME-WAIT is over, or no answer came for too long.
    Timer,
    /// The program, or its host's kernel for it: open, shutdown, close or abort.
    Program,
}

/// An event of a segment or a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum TcpEvent {
    /// A host passed a segment to the link, which decides its fate.
    Sent {
        /// The segment.
        segment: Segment,
        /// Its fate on the link.
        fate: PacketFate,
        /// The states of both hosts' sockets of this conversation when it left, by [`Role`].
        states: [TcpState; 2],
    },
    /// A segment arrived. A duplicated segment arrives twice. A corrupt segment is dropped by its host.
    Arrived {
        /// The segment's number ([`Segment::index`]).
        index: u32,
        /// The states of both hosts' sockets of this conversation after the host processed it, by [`Role`].
        states: [TcpState; 2],
    },
    /// A socket changed its state.
    Changed {
        /// The side of the host.
        side: Role,
        /// The socket.
        socket: SocketId,
        /// The state before.
        from: TcpState,
        /// The state after.
        to: TcpState,
        /// The cause of the change.
        cause: Cause,
    },
}

/// An event with its time.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TimedEvent {
    /// Virtual time since the conversation began. Events during connecting have time 0.
    pub at: Millis,
    /// The event.
    pub event: TcpEvent,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arrival(index) => write!(f, "#{index}"),
            Self::Timer => f.write_str("timer"),
            Self::Program => f.write_str("program"),
        }
    }
}

impl fmt::Display for TcpEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sent { segment, fate, states: [client, server] } => {
                let Segment { index, from, seq, ack, flags, window, length, .. } = segment;
                let sent = format!("{flags} seq {seq} ack {ack} window {window} length {length}");
                write!(f, "{} sent #{index} {sent}: {fate} ({client}, {server})", from.name())
            }
            Self::Arrived { index, states: [client, server] } => write!(f, "#{index} arrived ({client}, {server})"),
            Self::Changed { side, socket, from, to, cause } => {
                write!(f, "{} socket {socket}: {from} to {to} by {cause}", side.name())
            }
        }
    }
}
