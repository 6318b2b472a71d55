//! The two sockets of a conversation, which close as on Linux, the network between them, and the log.
//!
//! Data that was read makes room for the writer at once, whatever the network does.

use super::run::{TrialEntry, TrialEvent};
use super::scenario::{InjectedFault, Injection, TrialScenario};
use super::simulation::Limits;
use super::socket::{Holder, Socket};
use crate::network::link::{Arrival, Links};
use crate::network::{PacketKind, Received, StreamPacket};
use crate::support::Millis;
use echo_core::Role;
use std::task::Waker;

/// How long [`InjectedFault::DropUnread`] waits for unread input.
const DROP_UNREAD_TIMEOUT: Millis = 1000;

pub(super) type Packet = StreamPacket<u8>;

/// Both sockets, the links between them, and the log.
#[derive(Debug)]
pub(super) struct Kernel {
    now: Millis,
    pub(super) scenario: TrialScenario,
    pub(super) limits: Limits,
    links: Links<Packet>,
    /// By [`Role`].
    pub(super) sockets: [Socket; 2],
    log: Vec<TrialEntry>,
    /// Sides whose programs have to end, with all their tasks.
    hosts_to_crash: Vec<Role>,
    /// Tasks to wake after the lock on this is released.
    pub(super) wakers: Vec<Waker>,
}

impl Kernel {
    pub(super) fn new(scenario: TrialScenario, limits: Limits) -> Self {
        let mut kernel = Self {
            now: 0,
            scenario,
            limits,
            links: Links::new(scenario.network.path()),
            sockets: Role::BOTH.map(|_| Socket::new()),
            log: Vec::new(),
            hosts_to_crash: Vec::new(),
            wakers: Vec::new(),
        };
        Role::BOTH.into_iter().for_each(|side| kernel.inject_if_due(side));
        kernel
    }

    // ---- for the simulation ----

    /// Sets the time, and delivers what is due.
    pub(super) fn advance(&mut self, now: Millis) {
        self.now = now;
        for side in Role::BOTH {
            if matches!(self.socket(side).holder, Holder::NotReading(until) if until <= now) {
                self.close(side);
            }
        }
        loop {
            let arrival = Role::BOTH.into_iter().find_map(|from| Some((from, self.links.pop(from, now)?)));
            let Some((from, arrival)) = arrival else { return };
            if let Arrival::Made(kind) = arrival {
                let what = TrialEvent::relayed(kind);
                what.into_iter().for_each(|what| self.note(from.peer(), what));
            }
            self.receive(from.peer(), arrival.into());
        }
    }

    /// Whether both sides have ended, and no packet is in flight.
    pub(super) fn is_over(&self) -> bool {
        let over = |socket: &Socket| match socket.holder {
            Holder::EndedByFault => true,
            Holder::Dropped => socket.returned,
            Holder::Program | Holder::NotReading(_) | Holder::OverEventLimit => false,
        };
        self.sockets.iter().all(over) && self.links.next_due().is_none()
    }

    /// Whether a side was stopped because it had too many I/O events.
    pub(super) fn is_over_event_limit(&self) -> bool {
        self.sockets.iter().any(|socket| socket.holder == Holder::OverEventLimit)
    }

    /// Takes the sides whose programs have to end, with all their tasks.
    pub(super) fn take_hosts_to_crash(&mut self) -> Vec<Role> {
        std::mem::take(&mut self.hosts_to_crash)
    }

    pub(super) fn take_wakers(&mut self) -> Vec<Waker> {
        std::mem::take(&mut self.wakers)
    }

    /// Whether the program of `side` was stopped, by a fault or by the limit of I/O events.
    pub(super) fn is_stopped(&self, side: Role) -> bool {
        match self.socket(side).holder {
            Holder::EndedByFault | Holder::NotReading(_) | Holder::OverEventLimit => true,
            Holder::Program | Holder::Dropped => false,
        }
    }

    /// Whether a fault ended the program of `side`.
    pub(super) fn is_ended_by_fault(&self, side: Role) -> bool {
        matches!(self.socket(side).holder, Holder::EndedByFault | Holder::NotReading(_))
    }

    /// Whether the future of `side` has returned or panicked, and no fault has ended its program.
    pub(super) fn has_returned(&self, side: Role) -> bool {
        self.socket(side).returned && !self.is_ended_by_fault(side)
    }

    /// Logs that the future of `side` has returned or panicked.
    pub(super) fn finish(&mut self, side: Role, what: TrialEvent) {
        self.socket_mut(side).returned = true;
        if self.limits.exits {
            self.hosts_to_crash.push(side);
        }
        self.event(side, what);
    }

    /// The sides that hold TIME_WAIT.
    pub(super) fn time_wait(&self) -> Vec<Role> {
        let is_reset = self.sockets.iter().any(|socket| socket.reset);
        Role::BOTH.into_iter().filter(|side| self.socket(*side).kernel.sent_fin_first() && !is_reset).collect()
    }

    /// The sides whose future has ended and whose stream is still open.
    pub(super) fn leaking(&self) -> Vec<Role> {
        let leaks = |side: &Role| self.socket(*side).returned && self.socket(*side).holder == Holder::Program;
        Role::BOTH.into_iter().filter(leaks).collect()
    }

    pub(super) fn take_log(&mut self) -> Vec<TrialEntry> {
        std::mem::take(&mut self.log)
    }

    // ---- the log, and the fault that waits for an I/O event ----

    pub(super) fn note(&mut self, side: Role, what: TrialEvent) {
        self.log.push(TrialEntry { at: self.now, side, what });
    }

    pub(super) fn event(&mut self, side: Role, what: TrialEvent) {
        self.note(side, what);
        self.socket_mut(side).events += 1;
        if self.socket(side).events > self.limits.events && self.socket(side).holder == Holder::Program {
            self.socket_mut(side).holder = Holder::OverEventLimit;
            self.note(side, TrialEvent::TooManyEvents);
        }
        self.inject_if_due(side);
    }

    fn inject_if_due(&mut self, side: Role) {
        let Some(injection) = self.scenario.injection else { return };
        if injection.side == side && injection.event == self.socket(side).events {
            self.inject(injection);
        }
    }

    fn inject(&mut self, Injection { side, fault, .. }: Injection) {
        let holds = self.socket(side).holder == Holder::Program;
        if fault.needs_a_stream() && !holds {
            return;
        }
        self.note(side, TrialEvent::Injected(fault));
        match fault {
            InjectedFault::Drop => self.close(side),
            InjectedFault::DropUnread if self.socket(side).kernel.inbox().is_empty() => {
                self.socket_mut(side).holder = Holder::NotReading(self.now + DROP_UNREAD_TIMEOUT);
            }
            InjectedFault::DropUnread => self.close(side),
            InjectedFault::HalfClose => self.shut_down(side),
            InjectedFault::Abort => {
                self.socket_mut(side).holder = Holder::EndedByFault;
                self.abort(side);
            }
            InjectedFault::Crash => {
                self.hosts_to_crash.push(side);
                if holds { self.close(side) } else { self.end_program(side) }
            }
            InjectedFault::Vanish => {
                self.hosts_to_crash.push(side);
                self.end_program(side);
                self.socket_mut(side).kernel.go_dark();
                self.links.lose(side);
            }
            InjectedFault::Nothing => (),
        }
        if let Some(span) = self.scenario.network.cut() {
            self.note(side, TrialEvent::Cut);
            self.links.cut(span.map(|span| self.now + span));
        }
    }

    /// Ends the program of `side`. If its future has ended before, and its stream is dropped, nothing changes.
    fn end_program(&mut self, side: Role) {
        let socket = self.socket_mut(side);
        if socket.holder != Holder::Dropped || !socket.returned {
            socket.holder = Holder::EndedByFault;
        }
    }

    // ---- the sockets ----

    pub(super) fn socket(&self, side: Role) -> &Socket {
        &self.sockets[side as usize]
    }

    pub(super) fn socket_mut(&mut self, side: Role) -> &mut Socket {
        &mut self.sockets[side as usize]
    }

    /// Sends what the kernel of `side` has to send.
    pub(super) fn send(&mut self, side: Role, packet: Packet) {
        self.send_later(side, 0, packet);
    }

    /// Sends as if it were `delay` later.
    pub(super) fn send_later(&mut self, side: Role, delay: Millis, packet: Packet) {
        let kind = packet.kind();
        // A kernel answers every packet for a socket that was reset with RST; the first is enough here.
        if kind == PacketKind::Reset && std::mem::replace(&mut self.socket_mut(side).reset, true) {
            return;
        }
        self.links.push(self.now.saturating_add(delay), side, kind, 0, packet);
        if let Some(what) = TrialEvent::sent(kind) {
            self.note(side, what);
        }
    }

    fn send_kind(&mut self, side: Role, kind: Option<PacketKind>) {
        if let Some(kind) = kind {
            self.send(side, kind.into());
        }
    }

    /// Does `shutdown(SHUT_WR)`.
    pub(super) fn shut_down(&mut self, side: Role) {
        let sent = self.socket_mut(side).kernel.shut_down();
        self.send_kind(side, sent);
    }

    /// Ends the program of `side` by a fault, and closes its stream.
    fn close(&mut self, side: Role) {
        self.socket_mut(side).holder = Holder::EndedByFault;
        self.close_socket(side);
    }

    /// Does `close()`.
    pub(super) fn close_socket(&mut self, side: Role) {
        let socket = &mut self.socket_mut(side).kernel;
        let sent = socket.close(!socket.inbox().is_empty());
        self.send_kind(side, sent);
    }

    /// Does `close()` with linger time zero: RST.
    pub(super) fn abort(&mut self, side: Role) {
        let sent = self.socket_mut(side).kernel.abort();
        self.send_kind(side, sent);
    }

    fn receive(&mut self, side: Role, packet: Packet) {
        let is_data = packet.kind() == PacketKind::Data;
        let socket = &mut self.sockets[side as usize];
        let was_open = socket.kernel.is_open();
        match socket.kernel.receive(packet) {
            Received::Taken => (),
            Received::Refused => return self.send(side, Packet::Reset),
            Received::ConnectionLost => socket.reset = true,
        }
        if was_open {
            socket.wake(&mut self.wakers);
            if let (true, Holder::NotReading(_)) = (is_data, socket.holder) {
                self.close(side);
            }
        }
    }
}
