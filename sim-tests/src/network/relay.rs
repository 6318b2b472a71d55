//! Relays: what programs between the two ends do with a FIN and a RST.
//!
//! Each behaviour was measured with relays in use: none of 21 forwarded a server's RST, 10 took a half-close for a
//! close, and one gave the peer of a half-closed side half a second more.

use super::packet_kind::PacketKind;
use crate::support::Millis;
use echo_core::Role;

/// A program between the two ends. It reads at once, and turns every RST into FIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Relay {
    /// Forwards a half-close, and waits for the FIN of the other side.
    PassesHalfClose,
    /// Takes a half-close for the end: forwards the FIN, and closes both of its connections.
    ClosesBoth,
    /// Forwards a half-close, and closes both of its connections this many milliseconds later.
    CutsOff(Millis),
}

/// What a relay does with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Move {
    /// Forwards it.
    Forward,
    /// Sends a packet of its own.
    Make { towards: Role, kind: PacketKind, at: Millis },
}

/// State of the two connections of a relay.
#[derive(Debug, Default)]
pub(crate) struct RelayState {
    /// Whether that end has sent FIN, by [`Role`].
    finished: [bool; 2],
    /// Whether the relay has sent FIN to that end, or that end has sent RST, by [`Role`].
    told: [bool; 2],
    /// Whether both connections are closed. The relay then answers data with RST.
    closed: bool,
    /// Whether RST was sent to that end, by [`Role`].
    refused: [bool; 2],
    patience: Option<Millis>,
}

impl RelayState {
    /// The time at which the relay stops waiting for the second FIN.
    pub(crate) fn patience(&self) -> Option<Millis> {
        self.patience
    }

    /// Handles a packet from `from`.
    pub(crate) fn take(&mut self, relay: Relay, now: Millis, from: Role, kind: PacketKind) -> Vec<Move> {
        match kind {
            PacketKind::Data if self.closed => self.refuse(from, now),
            PacketKind::Fin | PacketKind::Reset if self.closed => Vec::new(),
            PacketKind::Data => vec![Move::Forward],
            PacketKind::Fin => self.half_close(relay, now, from),
            PacketKind::Reset => {
                // The end that sent RST has no connection any more: it gets no FIN.
                self.told[from as usize] = true;
                self.close(now)
            }
        }
    }

    /// Handles the timeout: closes both connections.
    pub(crate) fn give_up(&mut self, now: Millis) -> Vec<Move> {
        self.patience = None;
        self.close(now)
    }

    fn half_close(&mut self, relay: Relay, now: Millis, from: Role) -> Vec<Move> {
        self.finished[from as usize] = true;
        self.told[from.peer() as usize] = true;
        let mut moves = vec![Move::Forward];
        if self.finished[from.peer() as usize] {
            self.patience = None;
            self.closed = true;
            return moves;
        }
        match relay {
            Relay::PassesHalfClose => (),
            Relay::ClosesBoth => moves.extend(self.close(now)),
            Relay::CutsOff(span) => self.patience = Some(now.saturating_add(span)),
        }
        moves
    }

    /// Closes both connections: sends FIN to each end that has got none.
    fn close(&mut self, now: Millis) -> Vec<Move> {
        self.closed = true;
        self.patience = None;
        let untold = Role::BOTH.into_iter().filter(|side| !self.told[*side as usize]);
        let moves = untold.map(|towards| Move::Make { towards, kind: PacketKind::Fin, at: now }).collect();
        self.told = [true, true];
        moves
    }

    /// Handles data for a connection that is closed: RST, but only once.
    fn refuse(&mut self, from: Role, now: Millis) -> Vec<Move> {
        if std::mem::replace(&mut self.refused[from as usize], true) {
            return Vec::new();
        }
        vec![Move::Make { towards: from, kind: PacketKind::Reset, at: now }]
    }
}
