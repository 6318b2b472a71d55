//! What a fault does.

use super::connection::End;
use super::kernel::Kernel;
use super::run::TrialEvent;
use super::scenario::{InjectedFault, Injection};
use super::side::Program;
use super::simulation::Form;
use super::socket::Holder;
use crate::network::PacketKind;
use crate::support::Millis;
use echo_core::Role;

/// How long [`InjectedFault::DropUnread`] waits for unread input.
const DROP_UNREAD_TIMEOUT: Millis = 1000;

impl Kernel {
    /// Injects the fault if it waits for this number of I/O events.
    pub(super) fn inject_if_due(&mut self, side: Role) {
        let events = self.side(side).events;
        for injection in self.scenario.injections().filter(|one| one.side == side && one.event == events) {
            self.inject(injection);
        }
    }

    fn inject(&mut self, Injection { side, fault, .. }: Injection) {
        let stream = self.stream_of_the_fault(side);
        if fault.needs_a_stream() && stream.is_none() {
            return;
        }
        self.log_fault(side, stream, fault);
        match (self.limits.form, stream) {
            (_, Some(end)) if fault == InjectedFault::FailFlush => self.socket_mut(end).fails[0] = true,
            (_, Some(end)) if fault == InjectedFault::FailShutdown => self.socket_mut(end).fails[1] = true,
            (Form::Stream, Some(end)) if fault.needs_a_stream() => self.end_stream(end, fault),
            (Form::Network, Some(end)) if fault.needs_a_stream() => self.meddle(end, fault),
            (Form::Stream | Form::Network, _) => self.end_side(side, fault),
        }
        if let Some(span) = self.scenario.network.cut() {
            self.note(side, TrialEvent::Cut);
            let until = span.map(|span| self.now + span);
            self.cut = Some(until);
            self.connections.iter_mut().for_each(|between| between.links.cut(until));
        }
    }

    /// The stream that a fault concerns: the only one, or that of the last I/O event.
    fn stream_of_the_fault(&self, side: Role) -> Option<End> {
        let connection = match self.limits.form {
            Form::Stream => 0,
            Form::Network => self.side(side).last?,
        };
        Some(End { connection, side }).filter(|end| self.socket(*end).holder == Holder::Program)
    }

    fn log_fault(&mut self, side: Role, stream: Option<End>, fault: InjectedFault) {
        match stream.filter(|_| fault.needs_a_stream()) {
            Some(end) => self.note_at(end, TrialEvent::Injected(fault)),
            None => self.note(side, TrialEvent::Injected(fault)),
        }
    }

    /// In a trial of one stream, the program ends with it.
    fn end_stream(&mut self, end: End, fault: InjectedFault) {
        match fault {
            InjectedFault::HalfClose => return self.shut_down(end),
            InjectedFault::DropUnread if self.socket(end).kernel.inbox().is_empty() => {
                self.socket_mut(end).holder = Holder::NotReading(self.now + DROP_UNREAD_TIMEOUT);
            }
            InjectedFault::Abort => {
                self.socket_mut(end).holder = Holder::Nobody;
                self.abort(end);
            }
            _ => self.take_away(end),
        }
        self.side_mut(end.side).program = Program::EndedByFault;
    }

    /// In a network, a machine between the two ends does it.
    fn meddle(&mut self, end: End, fault: InjectedFault) {
        let kind = match fault {
            InjectedFault::HalfClose => return self.shut_down(end),
            InjectedFault::Abort => PacketKind::Reset,
            _ => PacketKind::Fin,
        };
        self.sever(end, kind);
    }

    /// Lets a machine between the two ends close their connection.
    pub(super) fn sever(&mut self, end: End, kind: PacketKind) {
        let now = self.now;
        let between = self.connection(end);
        if !between.severed {
            between.severed = true;
            between.links.forget_relayed();
            Role::BOTH.into_iter().for_each(|side| between.links.make(now, side, kind));
        }
    }

    fn end_side(&mut self, side: Role, fault: InjectedFault) {
        match fault {
            InjectedFault::Crash => {
                self.hosts_to_crash.push(side);
                self.end_program(side);
                self.listeners[side as usize].take_all().into_iter().for_each(|end| self.refuse(end));
                self.cancel_openings(side);
                for end in self.holds(side).collect::<Vec<_>>() {
                    self.take_away(end);
                }
            }
            InjectedFault::Vanish => {
                self.hosts_to_crash.push(side);
                self.end_program(side);
                self.side_mut(side).dark = true;
                for end in self.ends_of(side) {
                    self.socket_mut(end).holder = Holder::Nobody;
                    self.socket_mut(end).kernel.go_dark();
                    self.show_state(end);
                    self.connection(end).links.lose(side);
                }
            }
            InjectedFault::Refuse | InjectedFault::Ignore | InjectedFault::AcceptAndClose => {
                self.side_mut(side).next_connect = Some(fault);
            }
            InjectedFault::FailAccept => {
                self.side_mut(side).next_accept_fails = true;
                self.listeners[side as usize].wake_all(&mut self.wakers);
            }
            InjectedFault::Cancel => self.side_mut(side).next_is_cancelled = true,
            InjectedFault::ClockJump => self.clocks_to_jump.push(side),
            InjectedFault::Nothing
            | InjectedFault::FailFlush
            | InjectedFault::FailShutdown
            | InjectedFault::Drop
            | InjectedFault::DropUnread
            | InjectedFault::HalfClose
            | InjectedFault::Abort => (),
        }
    }

    /// Ends the program of `side`. If its future has ended before, and it holds no stream, nothing changes.
    fn end_program(&mut self, side: Role) {
        if !self.side(side).returned || self.holds(side).next().is_some() {
            self.side_mut(side).program = Program::EndedByFault;
        }
    }
}
