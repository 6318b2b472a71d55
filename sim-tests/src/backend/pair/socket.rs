//! The socket of an end, as Linux keeps it.

use super::end::{End, Socket};
use super::world::{Packet, World};

impl End {
    /// `shutdown(SHUT_WR)`.
    pub(super) fn shut_down(&mut self, world: &mut World) {
        if self.socket == Socket::Open && !self.shut {
            world.send(self.role, Packet::Fin);
        }
        self.shut = true;
    }

    /// `close()`: RST if input is unread, otherwise FIN. The program has no socket any more.
    pub(super) fn leave(&mut self, world: &mut World) {
        self.runs = false;
        if self.socket != Socket::Open {
            return;
        }
        let arriving = world.links.is_arriving(self.role.peer(), world.log.now());
        if self.inbox.len() > self.ahead || arriving {
            return self.reset(world);
        }
        self.shut_down(world);
        self.socket = Socket::Orphan;
    }

    /// `close()` with linger time zero.
    pub(super) fn reset(&mut self, world: &mut World) {
        if self.socket == Socket::Open {
            world.send(self.role, Packet::Reset);
        }
        self.socket = Socket::None;
    }

    /// The other end's RST has come: what this kernel still has to send is deleted.
    pub(super) fn lose_connection(&mut self, world: &mut World) {
        self.socket = Socket::None;
        world.links.delete_waiting(self.role, world.log.now());
    }

    /// A packet arrives.
    pub(super) fn receive(&mut self, packet: Packet, world: &mut World) {
        match (self.socket, packet) {
            (Socket::Open, Packet::Data(bytes)) => {
                self.packets.push_back(bytes.len());
                self.inbox.extend(bytes);
            }
            (Socket::Open, Packet::Fin) => self.fin_came = true,
            (Socket::Open, Packet::Reset) => {
                self.reset_came = true;
                self.lose_connection(world);
            }
            (Socket::Orphan, Packet::Data(_)) | (Socket::None, Packet::Data(_) | Packet::Fin) => {
                self.socket = Socket::None;
                world.send(self.role, Packet::Reset);
            }
            (Socket::Orphan, Packet::Reset) => self.lose_connection(world),
            (Socket::Orphan, Packet::Fin) | (Socket::None, Packet::Reset) | (Socket::Dark, _) => (),
        }
    }
}
