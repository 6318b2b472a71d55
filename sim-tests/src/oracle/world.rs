//! The world of a run: two ends, the way between them, and what the scenario has in store.

use super::bend::Bend;
use super::board::{Board, Seen};
use super::end::{End, Reading, Wire};
use super::member::{Expectation, Member};
use super::side::Side;
use super::word::{Packet, Part};
use crate::board::{name, other};
use crate::link::{Arrival, Kind, Links};
use crate::network::{Fault, Span};
use crate::plan::{Millis, Point, Step};
use crate::scenario::Scenario;
use crate::setting;
use echo_core::Role;

pub(super) struct World<'a> {
    ends: [End; 2],
    way: Way,
    waiting: Vec<(Point, Role, Deed)>,
    missed: Vec<String>,
    scenario: &'a Scenario,
    requested: usize,
    asked_again: bool,
}

/// What becomes due at a point.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Act(Step),
    Deafen,
    Cut(Span),
}

/// What lies between the ends.
struct Way {
    now: Millis,
    board: Board,
    links: Links<Packet>,
    holds: Vec<Fault>,
    /// By [`Role`]: packets on their way.
    under_way: [usize; 2],
    /// A RST was sent behind something that is on its way.
    raced: bool,
}

impl Wire for Way {
    fn send(&mut self, from: Role, packet: Packet) {
        let (kind, seen) = match &packet {
            Packet::Data(pieces) => {
                let whole = pieces.iter().filter(|(_, part)| *part != Part::Head);
                (Kind::Data, whole.map(|(word, _)| Seen::of(*word)).collect())
            }
            Packet::Fin => (Kind::Fin, vec![Seen::Fin]),
            Packet::Reset => (Kind::Reset, vec![Seen::Reset]),
        };
        let is_due = |fault: &Fault| match fault {
            Fault::Hold { from: whose, mark, .. } => whose.means(from) && seen.iter().any(|seen| seen.carries(*mark)),
            Fault::Cut { .. } => false,
        };
        while let Some(index) = self.holds.iter().position(is_due) {
            if let Fault::Hold { span, .. } = self.holds.remove(index) {
                self.links.hold(from, span.after(self.now));
            }
        }
        self.raced |= kind == Kind::Reset && self.under_way[from as usize] > 0;
        self.under_way[from as usize] += 1;
        self.links.push(self.now, from, kind, packet);
        for seen in seen {
            self.board.note_sent(from, seen);
        }
    }

    fn board(&mut self) -> &mut Board {
        &mut self.board
    }

    fn now(&self) -> Millis {
        self.now
    }
}

impl Way {
    /// The next packet from `from` that arrives by now.
    fn pop(&mut self, from: Role) -> Option<Packet> {
        let arrival = self.links.pop(from, self.now)?;
        let on_its_way = &mut self.under_way[from as usize];
        *on_its_way = on_its_way.saturating_sub(1);
        Some(match arrival {
            Arrival::Packet(packet) => packet,
            Arrival::Made(Kind::Fin) => Packet::Fin,
            Arrival::Made(Kind::Reset) => Packet::Reset,
            Arrival::Made(Kind::Data) => Packet::Data(Vec::new()),
        })
    }
}

const ROLES: [Role; 2] = [Role::Client, Role::Server];

impl<'a> World<'a> {
    pub(super) fn new(scenario: &'a Scenario, bend: Option<Bend>) -> Self {
        let faults = &scenario.network.faults;
        let mut waiting = Vec::new();
        for fault in faults {
            if let Fault::Cut { point, span } = fault {
                waiting.push((*point, Role::Client, Deed::Cut(*span)));
            }
        }
        for role in ROLES {
            for step in &scenario.plan(role).steps {
                if step.point == Point::PeerNotReading {
                    waiting.push((step.point, role, Deed::Deafen));
                }
                waiting.push((step.point, role, Deed::Act(*step)));
            }
        }
        let mut path = scenario.network.path();
        path.overtaking &= bend != Some(Bend::RstLosesNothing);
        let end =
            |role| End::new(Side::new(role, scenario.wire, bend), scenario.plan(role), scenario.network.reads > 0);
        let way = Way {
            now: 0,
            board: Board::default(),
            links: Links::new(path),
            holds: faults.iter().filter(|fault| fault.mark().is_some()).copied().collect(),
            under_way: [0, 0],
            raced: false,
        };
        Self { ends: ROLES.map(end), way, waiting, missed: Vec::new(), scenario, requested: 0, asked_again: false }
    }

    /// Lets everything happen, and says what came of it.
    pub(super) fn play(mut self) -> Expectation {
        let budget = setting::budget(self.scenario);
        self.direct();
        loop {
            self.settle();
            let Some(next) = self.next_moment().filter(|next| *next <= budget) else { break };
            self.way.now = next;
            self.deliver();
            self.settle();
            for end in &mut self.ends {
                if end.runs {
                    end.pass_time(next);
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
            self.settle();
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

    /// Does what is due; whether anything was.
    fn direct(&mut self) -> bool {
        let mut any = false;
        loop {
            let board = &self.way.board;
            if let Some(index) = self.waiting.iter().position(|(point, role, _)| board.is_at(*point, *role)) {
                let (_, role, deed) = self.waiting.remove(index);
                self.carry_out(role, deed);
            } else if self.requested == 0 {
                self.request(1);
            } else if self.requested < self.scenario.talk.len() && board.is_at(Point::Idle, Role::Client) {
                self.request(self.scenario.talk.len() - self.requested);
            } else {
                return any;
            }
            any = true;
        }
    }

    fn request(&mut self, count: usize) {
        self.requested += count;
        let client = &mut self.ends[Role::Client as usize];
        if client.runs {
            (0..count).for_each(|_| client.side.ask());
        }
    }

    fn carry_out(&mut self, role: Role, deed: Deed) {
        match deed {
            Deed::Act(step) => {
                let end = &mut self.ends[role as usize];
                self.asked_again |= step.action == crate::plan::Action::Close && end.runs && end.side.is_ending();
                if !end.act(step.action, step.point, &mut self.way) {
                    self.missed.push(named(role, step));
                } else if step.action == crate::plan::Action::Vanish {
                    self.way.links.lose(role);
                }
            }
            Deed::Deafen => self.ends[other(role) as usize].reading = Reading::Never,
            Deed::Cut(span) => self.way.links.cut(span.after(self.way.now)),
        }
    }

    fn expectation(self) -> Expectation {
        let [client, server] = &self.ends;
        let clauses = client.side.clauses.iter().chain(&server.side.clauses).copied().collect();
        let (client, server) = (client.report(&self.way.board), server.report(&self.way.board));
        let left = self.waiting.iter().filter_map(|(point, role, deed)| match deed {
            Deed::Act(step) => Some(named(*role, *step)),
            Deed::Cut(_) => Some(format!("cut@{}", point.id())),
            Deed::Deafen => None,
        });
        let unreached = left.chain(self.missed).chain(self.way.holds.iter().map(ToString::to_string)).collect();
        let is_unchanged = match self.scenario.network.relay {
            Some(_) => !self.way.links.has_meddled(),
            None => !self.way.raced,
        };
        let asked_again = self.asked_again;
        Expectation { members: vec![Member { client, server, clauses }], unreached, is_unchanged, asked_again }
    }
}

fn named(role: Role, step: Step) -> String {
    format!("{}:{}@{}", name(role), step.action.id(), step.point.id())
}
