//! Two connections of `echo-core` over two simulated sockets that close as on Linux, in virtual time.
//!
//! [`StreamSocket`](crate::network::StreamSocket) lists what the sockets do.

mod calls;
mod end;
mod socket;
mod world;

use crate::backend::faulty_links::FaultyLinks;
use crate::record::Record;
use crate::record::event_log::{EventLog, LogEvent};
use crate::scenario::Backend;
use crate::scenario::Scenario;
use crate::scenario::defaults;
use crate::scenario::reading::Reading;
use crate::scenario::scheduler::{Command, StepScheduler};
use crate::support::Millis;
use echo_core::{Connection, Role};
use end::End;
use std::time::Duration;
use world::World;

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

impl Pair {
    fn new(scenario: &Scenario) -> Self {
        let for_client = defaults::config(scenario, Role::Client);
        let client = match scenario.wire.first_fin() {
            Some(_) => Connection::client(for_client, defaults::EPOCH),
            None => Connection::plain_client(for_client, defaults::EPOCH),
        };
        Self {
            client: End::new(Role::Client, client, scenario),
            server: End::new(Role::Server, defaults::server(scenario), scenario),
            scheduler: StepScheduler::new(scenario),
            world: World { scenario: scenario.clone(), log: EventLog::default(), links: FaultyLinks::new(scenario) },
        }
    }

    /// Runs until no event is left. Returns the time of the last one, `None` if the budget is too short.
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
            // The real driver also reads what has arrived before it applies a deadline.
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

    /// Runs both programs and the step scheduler until none makes progress.
    fn settle(&mut self) {
        loop {
            self.client.pump(&mut self.world);
            self.server.pump(&mut self.world);
            if !self.direct() {
                return;
            }
        }
    }

    /// Carries out the commands that are due. Returns whether there were any. If both sides have one, the client's goes
    /// first, and the client sends its output before the server's command.
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
            Command::StopReading(Role::Client) => self.client.reading = Reading::Never,
            Command::StopReading(Role::Server) => self.server.reading = Reading::Never,
            Command::Ask { from, to } => (from..=to).for_each(|seq| self.client.ask(seq, &self.world)),
            Command::Cut(span) => {
                self.world.links.cut(self.world.log.now(), span);
                self.world.log.note(Role::Client, LogEvent::Cut);
            }
        }
    }

    /// Delivers all packets that are due, before a program runs.
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
        let timers =
            timers.flat_map(|end| end.connection.next_time().map(round_up).into_iter().chain(end.calls.next_due()));
        timers.chain(self.world.links.next_due()).min()
    }
}

fn round_up(time: Duration) -> Millis {
    Millis::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(Millis::MAX)
}
