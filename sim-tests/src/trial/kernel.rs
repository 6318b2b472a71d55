//! The kernels of both sides: the sockets, which close as on Linux, the connections between them, and the log.
//!
//! Data that was read makes room for the writer at once, whatever the network does.

use super::backlog::Listeners;
use super::connection::{Connection, End, Packet};
use super::packets::{PacketRule, TrialPacket, TrialPacketKind};
use super::run::{TrialEntry, TrialEvent};
use super::scenario::TrialScenario;
use super::side::{Program, Side};
use super::simulation::{Form, Limits};
use super::socket::{Holder, Socket};
use crate::network::link::Arrival;
use crate::network::{PacketKind, Received};
use crate::support::Millis;
use echo_core::Role;
use std::task::Waker;

/// Both kernels, the connections between them, and the log.
#[derive(Debug)]
pub(super) struct Kernel {
    pub(super) now: Millis,
    pub(super) scenario: TrialScenario,
    rule: Option<PacketRule>,
    pub(super) limits: Limits,
    /// By [`Role`].
    pub(super) sides: [Side; 2],
    /// In the order in which they were opened.
    pub(super) connections: Vec<Connection>,
    /// By [`Role`].
    pub(super) listeners: [Listeners; 2],
    /// If the network was cut: until when; `None` means for ever.
    pub(super) cut: Option<Option<Millis>>,
    log: Vec<TrialEntry>,
    /// Sides whose programs have to end, with all their tasks.
    pub(super) hosts_to_crash: Vec<Role>,
    /// Sides whose clocks have to jump.
    pub(super) clocks_to_jump: Vec<Role>,
    /// Tasks to wake after the lock on this is released.
    pub(super) wakers: Vec<Waker>,
}

impl Kernel {
    pub(super) fn new(scenario: TrialScenario, rule: Option<PacketRule>, limits: Limits) -> Self {
        let mut kernel = Self {
            now: 0,
            scenario,
            rule,
            limits,
            sides: Default::default(),
            connections: Vec::new(),
            listeners: Default::default(),
            cut: None,
            log: Vec::new(),
            hosts_to_crash: Vec::new(),
            clocks_to_jump: Vec::new(),
            wakers: Vec::new(),
        };
        if limits.form == Form::Stream {
            kernel.connect_both();
        }
        Role::BOTH.into_iter().for_each(|side| kernel.inject_if_due(side));
        kernel
    }

    // ---- for the simulation ----

    /// Sets the time, and delivers what is due.
    pub(super) fn advance(&mut self, now: Millis) {
        self.now = now;
        for end in self.ends() {
            if matches!(self.socket(end).holder, Holder::NotReading(until) if until <= now) {
                self.take_away(end);
            }
        }
        self.open_connections();
        while let Some((from, arrival)) = self.next_arrival() {
            if let Arrival::Made(kind) = arrival {
                let what = TrialEvent::relayed(kind);
                what.into_iter().for_each(|what| self.note_at(from.peer(), what));
            }
            self.receive(from.peer(), arrival.into());
        }
    }

    fn next_arrival(&mut self) -> Option<(End, Arrival<Packet>)> {
        let now = self.now;
        self.connections.iter_mut().enumerate().find_map(|(connection, between)| {
            let from = |side| Some((End { connection, side }, between.links.pop(side, now)?));
            Role::BOTH.into_iter().find_map(from)
        })
    }

    /// Whether the programs have ended, and no packet is in flight. In a network, a server need not end, except for its
    /// connections.
    pub(super) fn is_over(&self) -> bool {
        let over = |side: Role| {
            let Side { program, returned, .. } = self.side(side);
            let serves = self.limits.form == Form::Network && side == Role::Server;
            *program == Program::EndedByFault || *program == Program::Running && (*returned || serves)
        };
        Role::BOTH.into_iter().all(over) && self.connections.iter().all(Connection::is_over)
    }

    /// Whether a side was stopped because it had too many I/O events.
    pub(super) fn is_over_event_limit(&self) -> bool {
        self.sides.iter().any(|side| side.program == Program::OverEventLimit)
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
        self.side(side).program != Program::Running
    }

    /// Whether a fault ended the program of `side`.
    pub(super) fn is_ended_by_fault(&self, side: Role) -> bool {
        self.side(side).program == Program::EndedByFault
    }

    /// Whether the future of `side` has returned or panicked, and no fault has ended its program.
    pub(super) fn has_returned(&self, side: Role) -> bool {
        self.side(side).returned && !self.is_ended_by_fault(side)
    }

    /// Logs that the future of `side` has returned or panicked.
    pub(super) fn finish(&mut self, side: Role, what: TrialEvent) {
        self.side_mut(side).returned = true;
        if self.limits.exits {
            self.hosts_to_crash.push(side);
        }
        self.event(side, what);
    }

    /// When the program of `side` starts again, which a crash has just ended.
    pub(super) fn restart_of(&self, side: Role) -> Option<Millis> {
        let restarts = self.is_ended_by_fault(side) && !self.side(side).dark;
        self.limits.restarts.filter(|_| restarts).map(|after| self.now + after)
    }

    /// Starts the program of `side` again, after a crash.
    pub(super) fn start_again(&mut self, side: Role) {
        self.note(side, TrialEvent::StartedAgain);
        let of_side = self.side_mut(side);
        (of_side.program, of_side.returned) = (Program::Running, false);
    }

    /// The sides that hold TIME_WAIT.
    pub(super) fn time_wait(&self) -> Vec<Role> {
        let holds = |side: &Role| {
            let first = |between: &Connection| between.sockets[*side as usize].kernel.sent_fin_first();
            let is_reset = |between: &Connection| between.sockets.iter().any(|socket| socket.reset);
            self.connections.iter().any(|between| first(between) && !is_reset(between))
        };
        Role::BOTH.into_iter().filter(holds).collect()
    }

    /// The sides whose future has ended and who still hold a stream.
    pub(super) fn leaking(&self) -> Vec<Role> {
        Role::BOTH.into_iter().filter(|side| self.side(*side).returned && self.holds(*side).next().is_some()).collect()
    }

    /// The ends of connections that `side` has not closed, whether its program has accepted them or not.
    pub(super) fn ends_held(&self, side: Role) -> impl Iterator<Item = End> {
        self.ends_of(side).filter(|end| self.socket(*end).holder != Holder::Nobody)
    }

    /// The connections that the program of `side` holds.
    pub(super) fn holds(&self, side: Role) -> impl Iterator<Item = End> {
        self.ends_of(side).filter(|end| self.socket(*end).holder == Holder::Program)
    }

    pub(super) fn take_log(&mut self) -> Vec<TrialEntry> {
        std::mem::take(&mut self.log)
    }

    // ---- the log ----

    /// Logs something about the side.
    pub(super) fn note(&mut self, side: Role, what: TrialEvent) {
        self.log.push(TrialEntry { at: self.now, side, connection: None, what, label: None });
    }

    /// Logs something about a connection.
    pub(super) fn note_at(&mut self, end: End, what: TrialEvent) {
        self.note_bytes(end, what, &[]);
    }

    /// Logs something about a connection, with its bytes in words if there are any.
    fn note_bytes(&mut self, end: End, what: TrialEvent, bytes: &[u8]) {
        let label = self.limits.details.filter(|_| !bytes.is_empty()).map(|details| details.label(end.side, bytes));
        let connection = Some(end.connection + 1);
        self.log.push(TrialEntry { at: self.now, side: end.side, connection, what, label });
    }

    /// Logs an I/O event of a side, and does what it was waited for.
    pub(super) fn event(&mut self, side: Role, what: TrialEvent) {
        self.note(side, what);
        self.count(side, None);
    }

    /// Logs an I/O event of a connection, and does what it was waited for.
    pub(super) fn event_at(&mut self, end: End, what: TrialEvent) {
        self.transferred(end, what, &[]);
    }

    /// Logs an I/O event that has read or written bytes, and does what it was waited for.
    pub(super) fn transferred(&mut self, end: End, what: TrialEvent, bytes: &[u8]) {
        self.note_bytes(end, what, bytes);
        self.count(end.side, Some(end.connection));
    }

    fn count(&mut self, side: Role, connection: Option<usize>) {
        let most = self.limits.events;
        let of_side = self.side_mut(side);
        of_side.events += 1;
        of_side.last = connection;
        if of_side.events > most && of_side.program == Program::Running {
            of_side.program = Program::OverEventLimit;
            self.note(side, TrialEvent::TooManyEvents);
        }
        self.inject_if_due(side);
    }

    /// Logs the state of a socket if it has changed.
    pub(super) fn show_state(&mut self, end: End) {
        if self.limits.details.is_some() {
            let state = self.socket(end).kernel.tcp_state();
            if std::mem::replace(&mut self.socket_mut(end).shown, state) != state {
                self.note_at(end, TrialEvent::Socket(state));
            }
        }
    }

    // ---- the sockets ----

    pub(super) fn side(&self, side: Role) -> &Side {
        &self.sides[side as usize]
    }

    pub(super) fn side_mut(&mut self, side: Role) -> &mut Side {
        &mut self.sides[side as usize]
    }

    pub(super) fn connection(&mut self, end: End) -> &mut Connection {
        &mut self.connections[end.connection]
    }

    pub(super) fn socket(&self, end: End) -> &Socket {
        &self.connections[end.connection].sockets[end.side as usize]
    }

    pub(super) fn socket_mut(&mut self, end: End) -> &mut Socket {
        &mut self.connections[end.connection].sockets[end.side as usize]
    }

    pub(super) fn ends_of(&self, side: Role) -> impl Iterator<Item = End> + use<> {
        (0..self.connections.len()).map(move |connection| End { connection, side })
    }

    fn ends(&self) -> impl Iterator<Item = End> + use<> {
        let of = |connection| Role::BOTH.map(|side| End { connection, side });
        (0..self.connections.len()).flat_map(of)
    }

    /// Sends what the kernel of this end has to send.
    pub(super) fn send(&mut self, end: End, packet: Packet) {
        self.send_later(end, 0, packet);
    }

    /// Sends as if it were `delay` later.
    pub(super) fn send_later(&mut self, end: End, delay: Millis, packet: Packet) {
        let kind = packet.kind();
        // A kernel answers every packet for a socket that was reset with RST; the first is enough here.
        if kind == PacketKind::Reset && std::mem::replace(&mut self.socket_mut(end).reset, true) {
            return;
        }
        let (now, late) = (self.now, self.late(end, &packet));
        let between = self.connection(end);
        match (between.severed, kind) {
            (false, _) => {
                if let Some(late) = late {
                    between.links.push(now.saturating_add(delay + late), end.side, kind, 0, packet);
                }
            }
            // The machine that has closed it answers for the peer, as a kernel does without a socket.
            (true, PacketKind::Data) => between.links.make(now, end.side, PacketKind::Reset),
            (true, PacketKind::Fin | PacketKind::Reset) => (),
        }
        if let Some(what) = TrialEvent::sent(kind) {
            self.note_at(end, what);
        }
        match late {
            Some(0) => (),
            Some(late) => self.note_at(end, TrialEvent::PacketDelayed(late)),
            None => self.note_at(end, TrialEvent::PacketLost),
        }
    }

    /// How much longer a packet takes by the rule of the user; `None` if it never arrives.
    fn late(&self, end: End, packet: &Packet) -> Option<Millis> {
        let Some(rule) = &self.rule else { return Some(0) };
        let bytes = if let Packet::Data(bytes) = packet { &bytes[..] } else { &[] };
        let (kind, connection) = (TrialPacketKind::of(packet.kind()), end.connection + 1);
        rule.delay(&TrialPacket { at: self.now, from: end.side, connection, kind, bytes })
    }

    fn send_kind(&mut self, end: End, kind: Option<PacketKind>) {
        if let Some(kind) = kind {
            self.send(end, kind.into());
        }
        self.show_state(end);
    }

    /// Does `shutdown(SHUT_WR)`.
    pub(super) fn shut_down(&mut self, end: End) {
        let sent = self.socket_mut(end).kernel.shut_down();
        self.send_kind(end, sent);
    }

    /// Closes a stream that its program has not dropped.
    pub(super) fn take_away(&mut self, end: End) {
        self.socket_mut(end).holder = Holder::Nobody;
        self.close_socket(end);
    }

    /// Does `close()`.
    pub(super) fn close_socket(&mut self, end: End) {
        let socket = &mut self.socket_mut(end).kernel;
        let sent = socket.close(!socket.inbox().is_empty());
        self.send_kind(end, sent);
    }

    /// Does `close()` with linger time zero: RST.
    pub(super) fn abort(&mut self, end: End) {
        let sent = self.socket_mut(end).kernel.abort();
        self.send_kind(end, sent);
    }

    fn receive(&mut self, end: End, packet: Packet) {
        let is_data = packet.kind() == PacketKind::Data;
        let socket = &mut self.connections[end.connection].sockets[end.side as usize];
        let was_open = socket.kernel.is_open();
        match socket.kernel.receive(packet) {
            Received::Taken => (),
            Received::Refused => self.send(end, Packet::Reset),
            Received::ConnectionLost => socket.reset = true,
        }
        self.show_state(end);
        let socket = &mut self.connections[end.connection].sockets[end.side as usize];
        if was_open {
            socket.wake(&mut self.wakers);
            if let (true, Holder::NotReading(_)) = (is_data, socket.holder) {
                self.take_away(end);
            }
        }
    }
}
