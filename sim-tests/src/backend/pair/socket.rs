//! The socket calls of a program, and the packets that arrive at its socket.

use super::end::End;
use super::world::World;
use crate::network::{PacketKind, Received, StreamPacket};

impl End {
    /// Does `shutdown(SHUT_WR)`.
    pub(super) fn shut_down(&mut self, world: &mut World) {
        let sent = self.socket.shut_down();
        self.send(sent, world);
    }

    /// Does `close()`. The program ends with it.
    pub(super) fn leave(&mut self, world: &mut World) {
        self.runs = false;
        let arriving = world.links.is_arriving(self.role.peer(), world.log.now());
        let sent = self.socket.close(self.has_unread() || arriving);
        self.send(sent, world);
    }

    /// Does `close()` with linger time zero: RST.
    pub(super) fn reset(&mut self, world: &mut World) {
        let sent = self.socket.abort();
        self.send(sent, world);
    }

    /// Whether there is input that the program has not read.
    pub(super) fn has_unread(&self) -> bool {
        self.socket.inbox().len() > self.ahead
    }

    /// Handles a packet that arrives.
    pub(super) fn receive(&mut self, packet: StreamPacket<u8>, world: &mut World) {
        match self.socket.receive(packet) {
            Received::Taken => (),
            Received::Refused => world.send(self.role, StreamPacket::Reset),
            Received::ConnectionLost => world.links.delete_waiting(self.role, world.log.now()),
        }
    }

    fn send(&self, packet: Option<PacketKind>, world: &mut World) {
        if let Some(kind) = packet {
            world.send(self.role, kind.into());
        }
    }
}
