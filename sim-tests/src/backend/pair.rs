//! Two connections of `echo-core`, two sockets that behave as Linux's do, and a queue of packets in virtual time.
//!
//! A socket that is closed with unread input sends RST, otherwise FIN; one that is closed and gets data answers RST;
//! what came before a RST can still be read. Each of these is a measured fact of Linux (see the crate's tests).

use crate::backend::faulty_links::FaultyLinks;
use crate::backend::read_pause::ReadPause;
use crate::backend::scheduler::{Command, StepScheduler};
use crate::backend::write_limit::{WriteLimit, violation};
use crate::network::PacketKind;
use crate::network::link::Arrival;
use crate::record::Record;
use crate::record::event_log::{EventLog, LogEvent, Unit};
use crate::record::wire_decoder::{StreamChunk, WireDecoder};
use crate::scenario::Backend;
use crate::scenario::Scenario;
use crate::scenario::defaults;
use crate::scenario::network::Network;
use crate::scenario::plan::{Action, Step};
use crate::support::Millis;
use echo_core::{CloseReason, Connection, Event, Output, Role};
use std::collections::VecDeque;
use std::time::Duration;

pub(super) fn run(scenario: &Scenario, budget: Millis) -> Record {
    let mut pair = Pair::new(scenario);
    let over_at = pair.run(budget);
    Record {
        scenario: scenario.clone(),
        backend: Backend::Pair,
        over_at,
        budget,
        unreached: [pair.scheduler.left(), pair.world.links.left()].concat(),
        entries: pair.world.log.into_entries(),
        packets: Vec::new(),
    }
}

struct Pair {
    client: End,
    server: End,
    scheduler: StepScheduler,
    world: World,
}

/// What both ends have in common.
struct World {
    scenario: Scenario,
    log: EventLog,
    links: FaultyLinks<Packet>,
}

#[derive(Clone, Debug)]
enum Packet {
    Data(Vec<u8>),
    Fin,
    Reset,
}

impl Packet {
    fn segment(&self) -> StreamChunk<'_> {
        match self {
            Self::Data(bytes) => StreamChunk::Data(bytes),
            Self::Fin => StreamChunk::Fin,
            Self::Reset => StreamChunk::Reset,
        }
    }
}

impl From<Arrival<Packet>> for Packet {
    fn from(arrival: Arrival<Packet>) -> Self {
        match arrival {
            Arrival::Packet(packet) => packet,
            Arrival::Made(PacketKind::Data) => Self::Data(Vec::new()),
            Arrival::Made(PacketKind::Fin) => Self::Fin,
            Arrival::Made(PacketKind::Reset) => Self::Reset,
        }
    }
}

impl World {
    fn send(&mut self, from: Role, packet: Packet) {
        let units = self.links.push(&mut self.log, from, packet.segment(), packet.clone());
        for unit in units {
            // A kernel answers every packet for a socket that is gone with RST; one is enough to know.
            if unit != Unit::Reset || !self.log.has_sent(from, |sent| *sent == Unit::Reset) {
                self.log.note(from, LogEvent::Sent(unit));
            }
        }
    }

    fn now(&self) -> Duration {
        Duration::from_millis(self.log.now())
    }
}

/// One program and its socket.
struct End {
    role: Role,
    connection: Connection,
    /// Hears what this end reads.
    decoder: WireDecoder,
    socket: Socket,
    inbox: VecDeque<u8>,
    /// How long the packets are whose bytes are in the inbox.
    packets: VecDeque<usize>,
    fin_came: bool,
    reset_came: bool,
    /// FIN was sent.
    shut: bool,
    /// Whether the program reads.
    reading: Reading,
    write_limit: WriteLimit,
    /// Its transport took no more when it last wrote.
    blocked: bool,
    /// Its ending has begun.
    ending: bool,
    read_pause: ReadPause,
    /// How much of the inbox the program has read, and not acted upon.
    ahead: usize,
    fin_read: bool,
    /// The program is there.
    runs: bool,
}

/// Whether a program reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    Yes,
    /// It closes its socket as soon as there is something to read.
    UntilThereIsSome,
    Never,
}

/// What the kernel of one end has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Socket {
    /// A socket that a program holds.
    Open,
    /// A socket that was closed with FIN: it still knows its peer, and answers data with RST.
    Orphan,
    /// None, or one that was reset: whatever comes is answered with RST. What had come before can still be read.
    None,
    /// No power.
    Dark,
}

impl Pair {
    fn new(scenario: &Scenario) -> Self {
        let [for_client, for_server] = Role::BOTH.map(|role| defaults::config(scenario, role));
        let client = match scenario.wire.first_fin() {
            Some(_) => Connection::client(for_client, defaults::EPOCH),
            None => Connection::plain_client(for_client, defaults::EPOCH),
        };
        Self {
            client: End::new(Role::Client, client, scenario),
            server: End::new(Role::Server, Connection::server(for_server, defaults::EPOCH), scenario),
            scheduler: StepScheduler::new(scenario),
            world: World { scenario: scenario.clone(), log: EventLog::default(), links: FaultyLinks::new(scenario) },
        }
    }

    /// Runs until nothing is left to happen, and says when that was.
    fn run(&mut self, budget: Millis) -> Option<Millis> {
        self.direct();
        loop {
            self.settle();
            let Some(next) = self.next_moment() else { return Some(self.world.log.now()) };
            if next > budget {
                return None;
            }
            self.world.log.advance(next);
            self.deliver();
            // As the real driver does: what has come is read before a deadline is held against the peer.
            self.settle();
            for end in [&mut self.client, &mut self.server] {
                if end.runs {
                    if end.connection.next_time().is_some_and(|due| due <= self.world.now()) {
                        end.look(&self.world);
                    }
                    end.connection.handle_time(self.world.now());
                }
            }
        }
    }

    /// Lets both programs and the step scheduler do what they can do now.
    fn settle(&mut self) {
        loop {
            self.client.pump(&mut self.world);
            self.server.pump(&mut self.world);
            if !self.direct() {
                return;
            }
        }
    }

    /// Carries out what is due; whether anything was. What is due together is the client's first, and what the client
    /// says upon it.
    fn direct(&mut self) -> bool {
        let due: Vec<Command> = std::iter::from_fn(|| self.scheduler.next(&self.world.log)).collect();
        let any = !due.is_empty();
        let (servers, others): (Vec<_>, Vec<_>) = due.into_iter().partition(Command::is_for_the_server_program);
        others.into_iter().for_each(|order| self.carry_out(order));
        if !servers.is_empty() {
            self.client.pump(&mut self.world);
        }
        servers.into_iter().for_each(|order| self.carry_out(order));
        any
    }

    fn carry_out(&mut self, order: Command) {
        match order {
            Command::Act(side, step) => {
                let end = if side == Role::Client { &mut self.client } else { &mut self.server };
                if !end.act(step, &mut self.world) {
                    self.scheduler.miss(side, step);
                }
            }
            Command::Deafen(Role::Client) => self.client.reading = Reading::Never,
            Command::Deafen(Role::Server) => self.server.reading = Reading::Never,
            Command::Ask { from, to } => (from..=to).for_each(|seq| self.client.ask(seq, &self.world)),
            Command::Cut(span) => {
                self.world.links.cut(self.world.log.now(), span);
                self.world.log.note(Role::Client, LogEvent::Cut);
            }
        }
    }

    /// The packets that are due. All of them are there before a program runs.
    fn deliver(&mut self) {
        loop {
            let World { log, links: post, .. } = &mut self.world;
            let now = log.now();
            if let Some(arrival) = post.pop(log, Role::Client, now) {
                self.server.receive(arrival.into(), &mut self.world);
            } else if let Some(arrival) = post.pop(log, Role::Server, now) {
                self.client.receive(arrival.into(), &mut self.world);
            } else {
                return;
            }
        }
    }

    fn next_moment(&self) -> Option<Millis> {
        let timers = [&self.client, &self.server].into_iter().filter(|end| end.runs);
        let timers = timers.filter_map(|end| end.connection.next_time()).map(round_up);
        timers.chain(self.world.links.next_due()).min()
    }
}

fn round_up(time: Duration) -> Millis {
    Millis::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(Millis::MAX)
}

impl End {
    fn new(role: Role, connection: Connection, scenario: &Scenario) -> Self {
        Self {
            role,
            connection,
            decoder: WireDecoder::new(role.peer(), scenario),
            socket: Socket::Open,
            inbox: VecDeque::new(),
            packets: VecDeque::new(),
            fin_came: false,
            reset_came: false,
            shut: false,
            reading: Reading::Yes,
            write_limit: WriteLimit::new(scenario, role),
            blocked: false,
            ending: false,
            read_pause: ReadPause::new(scenario.plan(role)),
            ahead: 0,
            fin_read: false,
            runs: true,
        }
    }

    // ---- the program ----

    /// Reads, and writes, until there is nothing more to do: the driver's loop.
    fn pump(&mut self, world: &mut World) {
        while self.runs {
            if !self.ending && self.connection.machine().is_ending() {
                self.ending = true;
                self.look(world);
            }
            self.write(world);
            if !self.runs || !self.read(world) {
                return;
            }
        }
    }

    /// Reads once; whether anything came.
    fn read(&mut self, world: &mut World) -> bool {
        match self.reading {
            Reading::Yes => (),
            Reading::UntilThereIsSome if self.inbox.len() > self.ahead => {
                world.log.note(self.role, LogEvent::LetGo);
                self.leave(world);
                return false;
            }
            // Who cannot write, and finds nothing to read, has been reset.
            Reading::UntilThereIsSome | Reading::Never => {
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
        if !self.inbox.is_empty() {
            return self.read_some(world);
        }
        if self.fin_came {
            if self.read_fin(world) {
                self.fin_came = false;
                self.connection.handle_fin(now);
            }
            return true;
        }
        if self.reset_came {
            self.reset_came = false;
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

    /// Notes FIN once; whether the program may act upon it.
    fn read_fin(&mut self, world: &mut World) -> bool {
        if !std::mem::replace(&mut self.fin_read, true) {
            world.log.note(self.role, LogEvent::Got(Unit::Fin));
        }
        !self.read_pause.catches(&[Unit::Fin])
    }

    fn read_some(&mut self, world: &mut World) -> bool {
        let bytes: Vec<u8> = self.inbox.iter().take(self.readable(&world.scenario.network)).copied().collect();
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
                Some(Event::Request { seq, .. }) => world.log.note(self.role, LogEvent::Accepted(seq)),
                Some(Event::Reply(reply)) => world.log.note(self.role, LogEvent::Handed(reply.seq)),
                Some(Event::Text(_)) => {
                    for seq in handed.drain(..) {
                        world.log.note(self.role, LogEvent::Handed(seq));
                    }
                }
                Some(Event::Greeted { .. } | Event::Leaving(_) | Event::LastWord(_) | Event::Discarded) => (),
            }
        }
        self.consume(used);
        used > 0
    }

    /// How many bytes one read gives: those of a packet, or of all that are there if the network coalesces.
    fn readable(&self, network: &Network) -> usize {
        let there = if network.batch > 0 { self.inbox.len() } else { self.packets.front().copied().unwrap_or(0) };
        let most = if network.reads == 0 { there } else { there.min(network.reads) };
        most.max(self.ahead)
    }

    fn consume(&mut self, used: usize) {
        self.inbox.drain(..used);
        self.ahead = self.ahead.saturating_sub(used);
        let mut left = used;
        while let Some(packet) = self.packets.front_mut() {
            let part = left.min(*packet);
            *packet -= part;
            left -= part;
            if *packet > 0 {
                break;
            }
            self.packets.pop_front();
        }
    }

    /// Whether what is read next has to wait for the plan. If so it counts as read, and is not acted upon.
    fn look_ahead(&mut self, bytes: &[u8], world: &mut World) -> bool {
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

    fn write(&mut self, world: &mut World) {
        let most = if world.scenario.network.writes == 0 { usize::MAX } else { world.scenario.network.writes };
        loop {
            let now = world.now();
            match self.connection.poll_output(now) {
                Output::Transmit { header, payload } => {
                    if self.shut || self.socket != Socket::Open {
                        self.connection.handle_write_failed(now);
                        continue;
                    }
                    let mut bytes = [header, payload].concat();
                    match self.write_limit.take(bytes.len().min(most)) {
                        Ok(count) => bytes.truncate(count),
                        Err(point) => {
                            if !std::mem::replace(&mut self.blocked, true) {
                                self.look(world);
                            }
                            return world.log.note_stalled(self.role, point);
                        }
                    }
                    let count = bytes.len();
                    self.write_limit.took(count);
                    self.blocked = false;
                    world.send(self.role, Packet::Data(bytes));
                    self.connection.handle_sent(now, count);
                }
                Output::Fin if self.socket != Socket::Open => self.connection.handle_write_failed(now),
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

    /// Tells the connection how much of its output the other end has not taken.
    fn look(&mut self, world: &World) {
        let now = world.now();
        if self.socket == Socket::Open {
            let waiting = world.links.waiting(self.role, world.log.now());
            self.connection.handle_unacknowledged(now, waiting);
        }
    }

    fn ask(&mut self, seq: u64, world: &World) {
        if let Some(payload) = world.scenario.payload(seq).filter(|_| self.runs) {
            // A conversation that is ending takes no more requests; the event log shows that none was sent.
            let _ = self.connection.send(world.now(), &payload);
        }
    }

    /// Carries out a step of the plan; whether there was still a program to do it.
    fn act(&mut self, step: Step, world: &mut World) -> bool {
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
            Action::DropUnread => self.reading = Reading::UntilThereIsSome,
            Action::Abort => self.reset(world),
            Action::Vanish => {
                self.socket = Socket::Dark;
                world.links.lose(self.role);
            }
            Action::Violate => {
                if self.socket == Socket::Open && !self.shut {
                    world.send(self.role, Packet::Data(violation()));
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

    // ---- the socket ----

    /// `shutdown(SHUT_WR)`.
    fn shut_down(&mut self, world: &mut World) {
        if self.socket == Socket::Open && !self.shut {
            world.send(self.role, Packet::Fin);
        }
        self.shut = true;
    }

    /// `close()`: RST if input is unread, otherwise FIN. The program has no socket any more.
    fn leave(&mut self, world: &mut World) {
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
    fn reset(&mut self, world: &mut World) {
        if self.socket == Socket::Open {
            world.send(self.role, Packet::Reset);
        }
        self.socket = Socket::None;
    }

    /// The other end's RST has come: what this kernel still has to send is deleted.
    fn lose_connection(&mut self, world: &mut World) {
        self.socket = Socket::None;
        world.links.delete_waiting(self.role, world.log.now());
    }

    /// A packet arrives.
    fn receive(&mut self, packet: Packet, world: &mut World) {
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
