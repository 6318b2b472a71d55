//! Relays: what programs that stand between the two ends make of a FIN and a RST.
//!
//! Each behaviour is one that was measured with relays in use: none of 21 passed a server's RST on, 10 took a
//! half-close for a close, and one gave a half-closed side half a second more.

use super::packet_kind::PacketKind;
use crate::support::Millis;
use echo_core::Role;

/// A program between the two ends. It reads at once, and every one of them turns RST into FIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Relay {
    /// It passes a half-close on, and waits for the other side's.
    PassesHalfClose,
    /// It takes a half-close for the end: it passes FIN on, and closes both of its connections.
    ClosesBoth,
    /// It passes a half-close on, and closes both of its connections so many milliseconds later.
    CutsOff(Millis),
}

/// What a relay does with what came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Move {
    /// Send it on.
    Forward,
    /// Send something of its own.
    Make { towards: Role, kind: PacketKind, at: Millis },
}

/// The two connections of a relay.
#[derive(Debug, Default)]
pub(crate) struct RelayState {
    /// By [`Role`]: whether that end has sent FIN.
    finished: [bool; 2],
    /// By [`Role`]: whether FIN or RST was sent to that end.
    told: [bool; 2],
    /// Both connections are closed: data for them is answered with RST.
    closed: bool,
    /// By [`Role`]: RST was sent to that end.
    refused: [bool; 2],
    patience: Option<Millis>,
}

impl RelayState {
    /// When it gives up waiting for the other side's FIN.
    pub(crate) fn patience(&self) -> Option<Millis> {
        self.patience
    }

    /// Something came from `from`.
    pub(crate) fn take(&mut self, relay: Relay, now: Millis, from: Role, kind: PacketKind) -> Vec<Move> {
        match kind {
            PacketKind::Data if self.closed => self.refuse(from, now),
            PacketKind::Fin | PacketKind::Reset if self.closed => Vec::new(),
            PacketKind::Data => vec![Move::Forward],
            PacketKind::Fin => self.half_close(relay, now, from),
            PacketKind::Reset => {
                // There is nobody left to send FIN to.
                self.told[from as usize] = true;
                self.close(now)
            }
        }
    }

    /// The patience is over.
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

    /// Closes both connections: FIN to whom none was sent.
    fn close(&mut self, now: Millis) -> Vec<Move> {
        self.closed = true;
        self.patience = None;
        let untold = Role::BOTH.into_iter().filter(|side| !self.told[*side as usize]);
        let moves = untold.map(|towards| Move::Make { towards, kind: PacketKind::Fin, at: now }).collect();
        self.told = [true, true];
        moves
    }

    /// Data came for a connection that is closed.
    fn refuse(&mut self, from: Role, now: Millis) -> Vec<Move> {
        if std::mem::replace(&mut self.refused[from as usize], true) {
            return Vec::new();
        }
        vec![Move::Make { towards: from, kind: PacketKind::Reset, at: now }]
    }
}
