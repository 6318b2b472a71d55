//! The kernels of both ends, the data between them, and the faults.

use super::super::end::LocalStep;
use super::super::observations::{Goal, Observations};
use super::super::queue::Queue;
use super::super::rules::{ExplorerBreach, ExplorerRule, ensure};
use super::super::unit::Unit;
use super::{End, Pair, Socket, TransportFault, Way};
use echo_core::Outcome;
use echo_core::Role::{self, Client, Server};

impl<'a> Pair<'a> {
    /// The program closes its socket, unless it was killed.
    pub(super) fn let_go(&mut self, role: Role, notes: &mut Observations) -> Result<(), ExplorerBreach> {
        let stored = self.ends[role as usize];
        let end = stored.end();
        let Some(outcome) = end.outcome() else { return Ok(()) };
        if stored.is_to_be_noted() {
            note(end, outcome, notes);
        }
        if self.inboxes[role as usize].reset {
            self.sockets[role as usize] = Socket::None;
        }
        let open = self.sockets[role as usize] == Socket::Open;
        // A side whose transport takes nothing more cannot send RST: it aborts by closing.
        let may = !open || end.got.fin || end.connection.is_write_closed() || end.patience_over;
        ensure(may, ExplorerRule::ReadingOn, || {
            format!("the {} closes its socket before it has read FIN", role.name())
        })?;
        self.close(role, !self.inboxes[role as usize].queue.is_empty());
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
            self.push_reset(role);
        }
        self.sockets[role as usize] = Socket::None;
        self.discard_inbound(role);
    }

    /// Removes what is in flight to a socket that nobody reads, and answers data with RST. To do this at once changes
    /// nothing: no side observes the arrival, and the RST may take any time.
    fn discard_inbound(&mut self, role: Role) {
        let empty = self.shared.empty;
        let inbox = self.inbox(role);
        let (unread, fin) = (!std::mem::replace(&mut inbox.queue, empty).is_empty(), std::mem::take(&mut inbox.fin));
        let dead = inbox.dead;
        inbox.reset = false;
        let answered = match self.sockets[role as usize] {
            Socket::Open => false,
            Socket::Orphan => unread,
            Socket::None => unread || fin,
        };
        if answered && !dead {
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

    pub(super) fn push(&mut self, from: Role, pieces: &'a Queue) {
        let to = from.peer();
        if !self.inboxes[to as usize].dead {
            let queue = self.shared.ends.borrow_mut().queues.join(self.inboxes[to as usize].queue, pieces);
            self.inbox(to).queue = queue;
        }
        if self.sockets[to as usize] != Socket::Open {
            self.discard_inbound(to);
        }
    }

    // ---- faults ----

    pub(super) fn can(&self, fault: TransportFault) -> bool {
        let here = |role: Role| self.is_here(role);
        let inbox = |role: Role| &self.inboxes[role as usize];
        let dead = |role: Role| inbox(role).dead;
        match fault {
            TransportFault::Kill(role) => here(role),
            TransportFault::KillUnread(role) => here(role) && !inbox(role).queue.is_empty(),
            TransportFault::HalfClose(role) => here(role) && !self.end(role).has_shut(),
            TransportFault::Cut => !dead(Client) || !dead(Server),
            TransportFault::Reset(role) => here(role) && !inbox(role).reset && !dead(role),
            TransportFault::FinForReset(role) => inbox(role).reset,
            TransportFault::FinForTheRest(role) => here(role) && !self.end(role).got.fin && !dead(role),
        }
    }

    /// Lets a fault happen. Returns whether an end aborts.
    pub(super) fn fault(&mut self, fault: TransportFault, notes: &mut Observations) -> Result<bool, ExplorerBreach> {
        self.faults -= 1;
        match fault {
            TransportFault::Kill(role) => return self.kill(role, false, notes),
            TransportFault::KillUnread(role) => return self.kill(role, true, notes),
            TransportFault::HalfClose(role) => {
                let (_, aborted) = self.take(role, LocalStep::HalfClose, None, notes)?;
                self.push_fin(role);
                return Ok(aborted);
            }
            TransportFault::Cut => [Client, Server].into_iter().for_each(|role| self.cut(role)),
            TransportFault::Reset(role) => self.inbox(role).reset = true,
            TransportFault::FinForReset(role) => {
                self.inbox(role).reset = false;
                self.inbox(role).fin = true;
            }
            TransportFault::FinForTheRest(role) => {
                self.cut(role);
                self.inbox(role).fin = true;
            }
        }
        Ok(false)
    }

    /// Drops everything in flight to an end, and all that follows.
    fn cut(&mut self, role: Role) {
        self.inboxes[role as usize] = Way { queue: self.shared.empty, fin: false, reset: false, dead: true };
    }

    fn kill(&mut self, role: Role, unread: bool, notes: &mut Observations) -> Result<bool, ExplorerBreach> {
        let (_, aborted) = self.take(role, LocalStep::Kill, None, notes)?;
        self.close(role, unread);
        Ok(aborted)
    }
}

fn note(end: &End, outcome: &Outcome, notes: &mut Observations) {
    notes.see(Goal::Ended(end.role, outcome.end.name()));
    notes.see_if(outcome.account.refused > 0, Goal::Refused(end.role));
    notes.see_if(outcome.account.unknown > 0, Goal::Unknown(end.role));
    let in_part = matches!(end.sent.open, Some((Unit::Echo(_), ..)));
    notes.see_if(in_part && outcome.account.unknown > 0, Goal::SentInPart);
}
