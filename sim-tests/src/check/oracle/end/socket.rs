//! The socket calls of a program, and the packets that arrive at its socket.

use super::super::message::{Message, Part};
use super::{End, Program, Wire};
use crate::network::{PacketKind, Received, StreamPacket};

impl End {
    /// Closes the socket, because the conversation is over.
    pub(super) fn leave(&mut self, wire: &mut impl Wire) {
        if self.program == Program::Running {
            self.program = Program::Returned;
        }
        self.close(wire);
        wire.note_over(self.role());
    }

    pub(super) fn shut_down(&mut self, wire: &mut impl Wire) {
        let sent = self.socket.shut_down();
        self.send(sent, wire);
    }

    pub(super) fn close(&mut self, wire: &mut impl Wire) {
        let sent = self.socket.close(self.has_unread() || wire.is_arriving(self.role()));
        self.send(sent, wire);
    }

    pub(super) fn reset(&mut self, wire: &mut impl Wire) {
        let sent = self.socket.abort();
        self.send(sent, wire);
    }

    pub(super) fn has_unread(&self) -> bool {
        self.socket.inbox().len() > self.ahead
    }

    /// Handles a packet that arrives.
    pub(in crate::check::oracle) fn receive(&mut self, packet: StreamPacket<(Message, Part)>, wire: &mut impl Wire) {
        match self.socket.receive(packet) {
            Received::Taken => (),
            Received::Refused => {
                wire.send(self.role(), StreamPacket::Reset);
            }
            Received::ConnectionLost => wire.delete_waiting(self.role()),
        }
    }

    fn send(&self, packet: Option<PacketKind>, wire: &mut impl Wire) {
        if let Some(kind) = packet {
            wire.send(self.role(), kind.into());
        }
    }
}
