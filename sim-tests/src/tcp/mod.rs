//! What can be seen of TCP itself: segments, what the link did with them, and each socket's path through the states of
//! RFC 9293. Plain data, so that a record can be read without the stack that made it.

mod edge;
mod segment;
mod state;

pub use edge::{CLOSING, Edge, OPENING, Trigger};
pub use segment::{Flags, PacketFate, Segment, corrupted, parse};
pub use state::TcpState;

use crate::support::Millis;
use echo_core::Role;
use std::fmt;

/// A socket of one host, numbered in the order in which the host made them, from 0.
pub type SocketId = u32;

/// What made a socket change its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cause {
    /// A segment that arrived, by [`Segment::index`].
    Arrival(u32),
    /// A timer of the stack: TIME-WAIT is over, or nobody has answered for too long.
    Timer,
    /// The program, or its host's kernel on its behalf: open, shutdown, close, abort.
    Program,
}

/// What happened to a segment or to a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TcpEvent {
    /// A host gave a segment to the link, which decides its fate.
    Sent {
        /// The segment.
        segment: Segment,
        /// What the link does with it.
        fate: PacketFate,
        /// The states of both hosts' sockets of this conversation when it left, by [`Role`].
        states: [TcpState; 2],
    },
    /// A segment arrived. One whose fate is to come twice arrives twice, and a corrupt one is thrown away by its host.
    Arrived {
        /// Which, by [`Segment::index`].
        index: u32,
        /// The states of both hosts' sockets of this conversation after it was taken, by [`Role`].
        states: [TcpState; 2],
    },
    /// A socket changed its state.
    Changed {
        /// On whose host.
        side: Role,
        /// Which of its sockets.
        socket: SocketId,
        /// From this state.
        from: TcpState,
        /// To this one.
        to: TcpState,
        /// Why.
        cause: Cause,
    },
}

/// An event, and when it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimedEvent {
    /// Virtual time since the conversation began; what connecting took comes at 0.
    pub at: Millis,
    /// What happened.
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
