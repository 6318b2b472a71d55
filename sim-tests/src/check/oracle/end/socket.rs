//! The socket of an end: what its kernel does with what comes, and when it is closed.

use super::super::message::Packet;
use super::{End, Socket, Wire};

impl End {
    /// The conversation is over.
    pub(super) fn leave(&mut self, wire: &mut impl Wire) {
        self.runs = false;
        self.close(wire);
        wire.note_over(self.role());
    }

    pub(super) fn shut_down(&mut self, wire: &mut impl Wire) {
        if self.socket == Socket::Open && !self.shut {
            wire.send(self.role(), Packet::Fin);
        }
        self.shut = true;
    }

    /// With unread input RST, otherwise FIN.
    pub(super) fn close(&mut self, wire: &mut impl Wire) {
        if self.socket != Socket::Open {
            return;
        }
        if self.inbox.len() > self.ahead || wire.is_arriving(self.role()) {
            return self.reset(wire);
        }
        self.shut_down(wire);
        self.socket = Socket::Orphan;
    }

    pub(super) fn reset(&mut self, wire: &mut impl Wire) {
        if self.socket == Socket::Open {
            wire.send(self.role(), Packet::Reset);
        }
        self.socket = Socket::None;
    }

    pub(super) fn lose_connection(&mut self, wire: &mut impl Wire) {
        self.socket = Socket::None;
        wire.delete_waiting(self.role());
    }

    /// A packet arrives.
    pub(in crate::check::oracle) fn receive(&mut self, packet: Packet, wire: &mut impl Wire) {
        match (self.socket, packet) {
            (Socket::Open, Packet::Data(pieces)) => {
                self.packets.push_back(pieces.len());
                self.inbox.extend(pieces);
            }
            (Socket::Open, Packet::Fin) => self.fin_came = true,
            (Socket::Open, Packet::Reset) => {
                self.reset_came = true;
                self.lose_connection(wire);
            }
            (Socket::Orphan, Packet::Data(_)) | (Socket::None, Packet::Data(_) | Packet::Fin) => {
                self.socket = Socket::None;
                wire.send(self.role(), Packet::Reset);
            }
            (Socket::Orphan, Packet::Reset) => self.lose_connection(wire),
            (Socket::Orphan, Packet::Fin) | (Socket::None, Packet::Reset) | (Socket::Dark, _) => (),
        }
    }
}
