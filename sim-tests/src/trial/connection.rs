//! A connection: its two sockets, and the links between them.

use super::opening::Opening;
use super::socket::{Holder, Socket};
use crate::network::link::Links;
use crate::network::{Path, StreamPacket};
use crate::support::Millis;
use echo_core::Role;
use std::net::SocketAddr;

pub(super) type Packet = StreamPacket<u8>;

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct End {
    /// Index of the connection.
    pub(super) connection: usize,
    pub(super) side: Role,
}

impl End {
    pub(super) fn peer(self) -> Self {
        Self { side: self.side.peer(), ..self }
    }
}

#[derive(Debug)]
pub(super) struct Connection {
    /// The side that has opened it.
    pub(super) opener: Role,
    pub(super) links: Links<Packet>,
    /// By [`Role`].
    pub(super) sockets: [Socket; 2],
    /// By [`Role`].
    pub(super) addresses: [SocketAddr; 2],
    /// The `connect` that has not returned.
    pub(super) opening: Option<Opening>,
    /// When the ACK that completes the handshake arrives.
    pub(super) ack_due: Option<Millis>,
    /// Whether a machine between the ends has closed it, and answers in their place.
    pub(super) severed: bool,
}

impl Connection {
    /// Returns an established connection, held by both programs.
    pub(super) fn new(opener: Role, path: Path, addresses: [SocketAddr; 2]) -> Self {
        Self {
            opener,
            links: Links::new(path),
            sockets: Role::BOTH.map(|_| Socket::new()),
            addresses,
            opening: None,
            ack_due: None,
            severed: false,
        }
    }

    /// Whether nobody holds an end, and no packet is in flight.
    pub(super) fn is_over(&self) -> bool {
        let is_open = self.sockets.iter().any(|socket| socket.holder != Holder::Nobody);
        !is_open && self.opening.is_none() && self.ack_due.is_none() && self.links.next_due().is_none()
    }
}
