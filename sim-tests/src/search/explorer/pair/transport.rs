//! The kernels of both ends, the data between them, and the faults.

use super::super::observations::{Goal, Observations};
use super::super::rules::{ExplorerBreach, ExplorerRule, ensure};
use super::super::unit::{Piece, Unit};
use super::{Pair, Place, Socket, TransportFault, Way};
use echo_core::Outcome;
use echo_core::Role::{self, Client, Server};
use std::rc::Rc;

impl Pair {
    /// The program closes its socket with an outcome.
    pub(super) fn let_go(
        &mut self,
        role: Role,
        outcome: Outcome,
        notes: &mut Observations,
    ) -> Result<(), ExplorerBreach> {
        notes.see(Goal::Ended(role, outcome.end.name()));
        notes.see_if(outcome.account.refused > 0, Goal::Refused(role));
        notes.see_if(outcome.account.unknown > 0, Goal::Unknown(role));
        let in_part = matches!(self.end(role).sent.open, Some((Unit::Echo(_), ..)));
        notes.see_if(in_part && outcome.account.unknown > 0, Goal::SentInPart);
        if self.inboxes[role as usize].reset {
            self.sockets[role as usize] = Socket::None;
        }
        let open = self.sockets[role as usize] == Socket::Open;
        // A side whose transport takes nothing more cannot send RST: it aborts by closing.
        let end = self.end(role);
        let may = !open || end.got.fin || end.connection.is_write_closed() || end.patience_over;
        ensure(may, ExplorerRule::ReadingOn, || {
            format!("the {} closes its socket before it has read FIN", role.name())
        })?;
        self.end_mut(role).place = Place::Over(outcome);
        self.close(role, !self.inboxes[role as usize].pieces.is_empty());
        Ok(())
    }

    /// Closes a socket in the kernel: with RST if received data is unread, otherwise with FIN.
    fn close(&mut self, role: Role, unread: bool) {
        if unread {
            return self.reset(role);
        }
        if self.sockets[role as usize] == Socket::Open {
            if !self.end(role).has_shut() {
                self.push_fin(role);
            }
            self.sockets[role as usize] = Socket::Orphan;
        }
        self.discard_inbound(role);
    }

    /// Sends RST if the socket is open, and removes it.
    pub(super) fn reset(&mut self, role: Role) {
        if self.sockets[role as usize] == Socket::Open {
            self.end_mut(role).sent.reset = true;
            self.push_reset(role);
        }
        self.sockets[role as usize] = Socket::None;
        self.discard_inbound(role);
    }

    /// Removes what is in flight to a socket that nobody reads, and answers data with RST. To do this at once changes
    /// nothing: no side observes the arrival, and the RST may take any time.
    fn discard_inbound(&mut self, role: Role) {
        let inbox = std::mem::take(&mut self.inboxes[role as usize]);
        self.inbox(role).dead = inbox.dead;
        let answered = match self.sockets[role as usize] {
            Socket::Open => false,
            Socket::Orphan => !inbox.pieces.is_empty(),
            Socket::None => !inbox.pieces.is_empty() || inbox.fin,
        };
        if answered && !inbox.dead {
            self.sockets[role as usize] = Socket::None;
            self.push_reset(role);
        }
    }

    fn push_reset(&mut self, from: Role) {
        let to = from.peer();
        if self.sockets[to as usize] == Socket::Open && !self.inboxes[to as usize].dead {
            self.inbox(to).reset = true;
        } else if self.sockets[to as usize] == Socket::Orphan {
            self.sockets[to as usize] = Socket::None;
        }
    }

    pub(super) fn push_fin(&mut self, from: Role) {
        let to = from.peer();
        if !self.inboxes[to as usize].dead {
            self.inbox(to).fin = true;
        }
        if self.sockets[to as usize] != Socket::Open {
            self.discard_inbound(to);
        }
    }

    pub(super) fn push(&mut self, from: Role, pieces: Vec<Piece>) {
        let to = from.peer();
        if !self.inboxes[to as usize].dead {
            self.inbox(to).pieces.extend(pieces);
        }
        if self.sockets[to as usize] != Socket::Open {
            self.discard_inbound(to);
        }
    }

    // ---- faults ----

    pub(super) fn can(&self, fault: TransportFault) -> bool {
        let here = |role: Role| self.end(role).is_here();
        let inbox = |role: Role| &self.inboxes[role as usize];
        let dead = |role: Role| inbox(role).dead;
        match fault {
            TransportFault::Kill(role) => here(role),
            TransportFault::KillUnread(role) => here(role) && !inbox(role).pieces.is_empty(),
            TransportFault::HalfClose(role) => here(role) && !self.end(role).has_shut(),
            TransportFault::Cut => !dead(Client) || !dead(Server),
            TransportFault::Reset(role) => here(role) && !inbox(role).reset && !dead(role),
            TransportFault::FinForReset(role) => inbox(role).reset,
            TransportFault::FinForTheRest(role) => here(role) && !self.end(role).got.fin && !dead(role),
        }
    }

    pub(super) fn fault(&mut self, fault: TransportFault) {
        self.faults -= 1;
        match fault {
            TransportFault::Kill(role) => self.kill(role, false),
            TransportFault::KillUnread(role) => self.kill(role, true),
            TransportFault::HalfClose(role) => {
                self.end_mut(role).half_closed = true;
                self.push_fin(role);
            }
            TransportFault::Cut => self.inboxes = [(); 2].map(|()| Rc::new(Way { dead: true, ..Way::default() })),
            TransportFault::Reset(role) => self.inbox(role).reset = true,
            TransportFault::FinForReset(role) => {
                self.inbox(role).reset = false;
                self.inbox(role).fin = true;
            }
            TransportFault::FinForTheRest(role) => {
                *self.inbox(role) = Way { fin: true, dead: true, ..Way::default() };
            }
        }
    }

    fn kill(&mut self, role: Role, unread: bool) {
        self.end_mut(role).place = Place::Gone;
        self.close(role, unread);
    }
}
