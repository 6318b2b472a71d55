//! One end: a connection, and the program that reads and writes for it.

use super::calls::Calls;
use super::world::World;
use crate::backend::read_pause::ReadPause;
use crate::backend::write_limit::{WriteLimit, violation};
use crate::network::{StreamPacket, StreamSocket};
use crate::record::event_log::{LogEvent, Unit};
use crate::record::wire_decoder::{StreamChunk, WireDecoder};
use crate::scenario::Scenario;
use crate::scenario::defaults;
use crate::scenario::network::Network;
use crate::scenario::plan::{Action, Step};
use crate::scenario::reading::Reading;
use echo_core::{CloseReason, Connection, Event, Output, Role};

/// One program and its socket.
pub(super) struct End {
    pub(super) role: Role,
    pub(super) connection: Connection,
    /// Decodes what this end reads.
    pub(super) decoder: WireDecoder,
    pub(super) socket: StreamSocket<u8>,
    /// Whether the program reads.
    pub(super) reading: Reading,
    pub(super) write_limit: WriteLimit,
    /// Whether the write limit stopped the last write.
    pub(super) blocked: bool,
    /// Whether its connection has begun to end.
    pub(super) ending: bool,
    pub(super) read_pause: ReadPause,
    /// Bytes of the inbox that the program has read and not acted on.
    pub(super) ahead: usize,
    fin_read: FinRead,
    pub(super) calls: Calls,
    /// Whether the program still runs.
    pub(super) runs: bool,
}

/// Whether the program has read the peer's FIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FinRead {
    No,
    /// Read, and not acted on: the read pause is active.
    Noted,
    Done,
}

impl End {
    pub(super) fn new(role: Role, connection: Connection, scenario: &Scenario) -> Self {
        Self {
            role,
            connection,
            decoder: WireDecoder::new(role.peer(), scenario),
            socket: StreamSocket::new(),
            reading: Reading::Always,
            write_limit: WriteLimit::new(scenario, role),
            blocked: false,
            ending: false,
            read_pause: ReadPause::new(scenario.plan(role)),
            ahead: 0,
            fin_read: FinRead::No,
            calls: Calls::new(scenario.overrides.handler),
            runs: true,
        }
    }

    /// Reads and writes until neither makes progress, like the driver's loop.
    pub(super) fn pump(&mut self, world: &mut World) {
        while self.runs {
            if !self.ending && self.connection.machine().is_ending() {
                self.ending = true;
                self.look(world);
            }
            self.calls.answer(&mut self.connection, world);
            self.write(world);
            if !self.runs || !self.read(world) {
                return;
            }
        }
    }

    /// Reads once. Returns whether anything was read.
    pub(super) fn read(&mut self, world: &mut World) -> bool {
        match self.reading {
            Reading::Always => (),
            Reading::UntilInput if self.has_unread() => {
                world.log.note(self.role, LogEvent::DroppedUnread);
                self.leave(world);
                return false;
            }
            // A program that does not read gets a RST only from a failed write.
            Reading::UntilInput | Reading::Never => {
                let lost = self.connection.is_write_closed();
                if lost {
                    self.connection.handle_reset(world.now());
                }
                return lost;
            }
        }
        if self.read_pause.is_shut() || !self.connection.wants_input() {
            return false;
        }
        let now = world.now();
        if !self.socket.inbox().is_empty() {
            return self.read_some(world);
        }
        if self.socket.has_fin() && self.fin_read != FinRead::Done {
            if self.read_fin(world) {
                self.fin_read = FinRead::Done;
                self.connection.handle_fin(now);
            }
            return true;
        }
        if self.socket.take_error().is_some() {
            world.log.note(self.role, LogEvent::Got(Unit::Reset));
            self.connection.handle_reset(now);
            return true;
        }
        if self.connection.is_write_closed() {
            self.connection.handle_reset(now);
            return true;
        }
        false
    }

    /// Logs FIN once. Returns whether the program may act on it.
    pub(super) fn read_fin(&mut self, world: &mut World) -> bool {
        if std::mem::replace(&mut self.fin_read, FinRead::Noted) == FinRead::No {
            world.log.note(self.role, LogEvent::Got(Unit::Fin));
        }
        !self.read_pause.catches(&[Unit::Fin])
    }

    pub(super) fn read_some(&mut self, world: &mut World) -> bool {
        let bytes: Vec<u8> = self.socket.inbox().iter().take(self.readable(&world.scenario.network)).copied().collect();
        if self.read_pause.is_armed() && self.look_ahead(&bytes, world) {
            return true;
        }
        let mut input = bytes.as_slice();
        let mut used = 0;
        let mut handed = Vec::new();
        loop {
            let event = self.connection.handle_input(world.now(), &mut input);
            let from = used.max(self.ahead);
            used = bytes.len() - input.len();
            for unit in self.decoder.decode(StreamChunk::Data(&bytes[from.min(used)..used])) {
                if let (Unit::Answer(seq), None) = (&unit, world.scenario.wire.first_fin()) {
                    handed.push(*seq);
                }
                world.log.note(self.role, LogEvent::Got(unit));
            }
            match event {
                None => break,
                Some(Event::Request { seq, payload }) => {
                    world.log.note(self.role, LogEvent::Accepted(seq));
                    self.calls.begin(seq, payload, world);
                }
                Some(Event::Reply(reply)) => world.log.note(self.role, LogEvent::Handed(reply.seq)),
                // The client has its answer, also if that is a failure.
                Some(Event::Failed { seq, .. }) => world.log.note(self.role, LogEvent::Handed(seq)),
                Some(Event::Text(_)) => {
                    for seq in handed.drain(..) {
                        world.log.note(self.role, LogEvent::Handed(seq));
                    }
                }
                Some(Event::Greeted { .. } | Event::Leaving(_) | Event::Close(_) | Event::Discarded) => (),
            }
        }
        self.socket.read(used);
        self.ahead = self.ahead.saturating_sub(used);
        used > 0
    }

    /// Bytes that one read returns: those of one packet, or all that are there if the network coalesces.
    pub(super) fn readable(&self, network: &Network) -> usize {
        let there = if network.batch > 0 { self.socket.inbox().len() } else { self.socket.first_packet() };
        let most = if network.reads == 0 { there } else { there.min(network.reads) };
        most.max(self.ahead)
    }

    /// Returns whether the next input has to wait for the plan. Then it counts as read, and is not acted on.
    pub(super) fn look_ahead(&mut self, bytes: &[u8], world: &mut World) -> bool {
        let mut decoder = self.decoder.clone();
        let units = decoder.decode(StreamChunk::Data(&bytes[self.ahead..]));
        if !self.read_pause.catches(&units) {
            return false;
        }
        self.decoder = decoder;
        self.ahead = bytes.len();
        units.into_iter().for_each(|unit| world.log.note(self.role, LogEvent::Got(unit)));
        true
    }

    pub(super) fn write(&mut self, world: &mut World) {
        let most = if world.scenario.network.writes == 0 { usize::MAX } else { world.scenario.network.writes };
        loop {
            let now = world.now();
            match self.connection.poll_output(now) {
                Output::Transmit { header, payload } => {
                    if !self.socket.can_write() {
                        self.connection.handle_write_failed(now);
                        continue;
                    }
                    let count = match self.write_limit.take((header.len() + payload.len()).min(most)) {
                        Ok(count) => count,
                        Err(point) => {
                            if !std::mem::replace(&mut self.blocked, true) {
                                self.look(world);
                            }
                            return world.log.note_stalled(self.role, point);
                        }
                    };
                    self.write_limit.took(count);
                    self.blocked = false;
                    // Only what is written is copied: output of much data may be written in small parts.
                    let (header, payload) =
                        (&header[..count.min(header.len())], &payload[..count.saturating_sub(header.len())]);
                    world.send(self.role, StreamPacket::Data([header, payload].concat()));
                    self.connection.handle_sent(now, count);
                }
                Output::Fin if !self.socket.is_open() => self.connection.handle_write_failed(now),
                Output::Fin => {
                    self.shut_down(world);
                    self.connection.handle_fin_sent(now);
                    self.look(world);
                }
                Output::Abort => {
                    self.reset(world);
                    self.connection.handle_fin_sent(now);
                }
                Output::Wait(_) => return,
                Output::Ended(outcome) => {
                    world.log.note(self.role, LogEvent::Ended(outcome));
                    return self.leave(world);
                }
            }
        }
    }

    /// Reports to the connection how much of its output the peer has not read.
    pub(super) fn look(&mut self, world: &World) {
        let now = world.now();
        if self.socket.is_open() {
            let waiting = world.links.waiting(self.role, world.log.now());
            self.connection.handle_unacknowledged(now, waiting);
        }
    }

    pub(super) fn ask(&mut self, seq: u64, world: &World) {
        if let Some(payload) = world.scenario.payload(seq).filter(|_| self.runs) {
            // A connection that is ending refuses requests; the event log shows that none was sent.
            let _ = self.connection.send(world.now(), &payload);
        }
    }

    /// Carries out a step of the plan. Returns `false` if the program no longer runs.
    pub(super) fn act(&mut self, step: Step, world: &mut World) -> bool {
        if !self.runs {
            return false;
        }
        world.log.note(self.role, LogEvent::Did(step.action));
        match step.action {
            Action::Close => {
                let close_reason = match self.role {
                    Role::Client => CloseReason::normal(),
                    Role::Server => defaults::server_close_reason(),
                };
                self.connection.leave(world.now(), close_reason);
            }
            Action::HalfClose => self.shut_down(world),
            Action::Drop | Action::Crash => self.leave(world),
            Action::DropUnread => self.reading = Reading::UntilInput,
            Action::Abort => self.reset(world),
            Action::Vanish => {
                self.socket.go_dark();
                world.links.lose(self.role);
            }
            Action::Violate => {
                if self.socket.can_write() {
                    world.send(self.role, StreamPacket::Data(violation()));
                }
            }
        }
        self.write_limit.release(step.point);
        self.read_pause.release(step.point);
        if step.action.takes_away() && step.action != Action::DropUnread {
            self.runs = false;
        }
        true
    }
}
