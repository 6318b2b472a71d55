//! One run of the oracle: two ends, the links between them, and the scheduler of the scenario's steps.

use super::end::{End, Reads, Wire};
use super::event_counts::{EventCounts, Seen};
use super::expectation::{AllowedEnding, Expectation};
use super::message::{Message, Part};
use super::mutation::Mutation;
use super::side::Side;
use super::size::size;

use crate::network::link::Links;
use crate::network::{PacketKind, StreamPacket};
use crate::scenario::Scenario;
use crate::scenario::defaults;
use crate::scenario::network::Holds;
use crate::scenario::plan::{Action, Point, Step};
use crate::scenario::reading::Reading;
use crate::scenario::scheduler::{Command, StepScheduler};
use crate::support::Millis;
use echo_core::Role;

/// What the ends exchange.
type Packet = StreamPacket<(Message, Part)>;

pub(super) struct OracleRun<'a> {
    ends: [End; 2],
    way: Way<'a>,
    scheduler: StepScheduler,
    scenario: &'a Scenario,
    asked_again: bool,
}

/// The links between the ends, and the event log.
struct Way<'a> {
    scenario: &'a Scenario,
    now: Millis,
    log: EventCounts,
    links: Links<Packet>,
    holds: Holds,
    /// Packets in flight, by [`Role`].
    under_way: [usize; 2],
    /// Whether a RST was sent while earlier packets of its side were in flight.
    raced: bool,
    /// A hash of the order in which messages were sent, received and acted on, and in which the ends ended.
    order: u64,
}

impl Wire for Way<'_> {
    fn send(&mut self, from: Role, packet: Packet) -> usize {
        let kind = packet.kind();
        let (seen, size) = match &packet {
            Packet::Data(pieces) => {
                let whole = pieces.iter().filter(|(_, part)| *part != Part::Head);
                let size = pieces.iter().map(|(message, part)| size(self.scenario, from, *message, *part)).sum();
                (whole.map(|(message, _)| Seen::of(*message)).collect(), size)
            }
            Packet::Fin => (vec![Seen::Fin], 0),
            Packet::Reset => (vec![Seen::Reset], 0),
        };
        for span in self.holds.take(from, |content| seen.iter().any(|seen| seen.carries(content))) {
            self.links.hold(from, span.after(self.now));
        }
        self.raced |= kind == PacketKind::Reset && self.under_way[from as usize] > 0;
        self.under_way[from as usize] += 1;
        self.links.push(self.now, from, kind, size, packet);
        for seen in seen {
            self.note(from, 0, seen);
            self.log.note_sent(from, seen);
        }
        size
    }

    fn note_got(&mut self, side: Role, seen: Seen) {
        self.note(side, 1, seen);
        self.log.note_got(side, seen);
    }

    fn note_handled(&mut self, side: Role, seen: Seen) {
        self.note(side, 2, seen);
    }

    fn note_over(&mut self, side: Role) {
        self.note_event(u64::MAX - side as u64);
    }

    fn waiting(&self, side: Role) -> usize {
        self.links.waiting(side, self.now)
    }

    fn is_arriving(&self, side: Role) -> bool {
        self.links.is_arriving(side.peer(), self.now)
    }

    fn delete_waiting(&mut self, side: Role) {
        self.links.delete_waiting(side, self.now);
    }

    fn log(&mut self) -> &mut EventCounts {
        &mut self.log
    }

    fn now(&self) -> Millis {
        self.now
    }
}

impl Way<'_> {
    fn note(&mut self, side: Role, what: u64, seen: Seen) {
        self.note_event(seen as u64 * 6 + what * 2 + side as u64 + 1);
    }

    fn note_event(&mut self, event: u64) {
        self.order = (self.order ^ event).wrapping_mul(0x0000_0100_0000_01B3).rotate_left(7);
    }

    /// Takes the next packet from `from` that may arrive now.
    fn pop(&mut self, from: Role) -> Option<Packet> {
        let arrival = self.links.pop(from, self.now)?;
        let on_its_way = &mut self.under_way[from as usize];
        *on_its_way = on_its_way.saturating_sub(1);
        Some(arrival.into())
    }
}

impl<'a> OracleRun<'a> {
    pub(super) fn new(scenario: &'a Scenario, mutation: Option<Mutation>) -> Self {
        let faults = &scenario.network.faults;
        let mut path = scenario.network.path();
        path.overtaking &= mutation != Some(Mutation::RstLosesNothing);
        let end =
            |role| End::new(Side::new(scenario, role, mutation), scenario.plan(role), Reads::of(&scenario.network));
        let way = Way {
            scenario,
            now: 0,
            log: EventCounts::default(),
            links: Links::new(path),
            holds: Holds::of(faults),
            under_way: [0, 0],
            raced: false,
            order: 0,
        };
        Self { ends: Role::BOTH.map(end), way, scheduler: StepScheduler::new(scenario), scenario, asked_again: false }
    }

    /// Runs the scenario, and returns its result.
    pub(super) fn play(mut self) -> Expectation {
        let budget = defaults::budget(self.scenario);
        self.direct();
        loop {
            self.settle();
            let Some(next) = self.next_moment().filter(|next| *next <= budget) else { break };
            self.way.now = next;
            self.deliver();
            self.settle();
            for end in &mut self.ends {
                if end.runs() {
                    end.pass_time(next, &mut self.way);
                }
            }
        }
        self.expectation()
    }

    fn next_moment(&self) -> Option<Millis> {
        self.ends.iter().filter_map(End::next).chain(self.way.links.next_due()).min()
    }

    fn deliver(&mut self) {
        loop {
            if let Some(packet) = self.way.pop(Role::Client) {
                self.ends[Role::Server as usize].receive(packet, &mut self.way);
            } else if let Some(packet) = self.way.pop(Role::Server) {
                self.ends[Role::Client as usize].receive(packet, &mut self.way);
            } else {
                return;
            }
        }
    }

    fn settle(&mut self) {
        loop {
            for end in &mut self.ends {
                end.pump(&mut self.way);
            }
            if !self.direct() {
                return;
            }
        }
    }

    /// Carries out the commands that are due. Returns whether there were any. The client's go first, then the client
    /// sends its output, then the server's follow.
    fn direct(&mut self) -> bool {
        let mut due = Vec::new();
        while let Some(command) = self.scheduler.next(&self.way.log) {
            due.push(command);
        }
        let any = !due.is_empty();
        let servers: Vec<_> = due.extract_if(.., |command| command.is_for_the_server_program()).collect();
        due.into_iter().for_each(|command| self.carry_out(command));
        if !servers.is_empty() {
            self.ends[Role::Client as usize].pump(&mut self.way);
        }
        servers.into_iter().for_each(|command| self.carry_out(command));
        any
    }

    fn carry_out(&mut self, command: Command) {
        match command {
            Command::Act(role, step) => self.act(role, step),
            Command::StopReading(role) => self.ends[role as usize].reading = Reading::Never,
            Command::Ask { from, to } => {
                let client = &mut self.ends[Role::Client as usize];
                if client.runs() {
                    (from..=to).for_each(|_| client.side.ask());
                }
            }
            Command::Cut(span) => self.way.links.cut(span.after(self.way.now)),
        }
    }

    fn act(&mut self, role: Role, step: Step) {
        let end = &mut self.ends[role as usize];
        // At these points the write limit, or the peer that does not read, has an effect of its own.
        let stops = matches!(step.point, Point::InPreface | Point::InsideFrame | Point::PeerNotReading);
        let asks = step.action == Action::Close && !stops;
        self.asked_again |= asks && end.runs() && end.side.is_ending();
        if !end.act(step.action, step.point, &mut self.way) {
            self.scheduler.miss(role, step);
        } else if step.action == Action::Vanish {
            self.way.links.lose(role);
        }
    }

    fn expectation(self) -> Expectation {
        let [client, server] = &self.ends;
        let clauses = client.side.clauses.iter().chain(&server.side.clauses).copied().collect();
        let (client, server) = (client.report(), server.report());
        let unreached = self.scheduler.left().into_iter().chain(self.way.holds.left()).collect();
        let is_unchanged = match self.scenario.network.relay {
            Some(_) => !self.way.links.has_meddled(),
            None => !self.way.raced,
        };
        let asked_again = self.asked_again;
        let members = vec![AllowedEnding { client, server, clauses }];
        Expectation { allowed: members, unreached, is_unchanged, asked_again, order: self.way.order }
    }
}
