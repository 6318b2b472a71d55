//! One simulation: both programs on their hosts, the network between them, and the controller.

use super::choices::Choices;
use super::host_clock::{HostClock, Jumps};
use super::hosts::{Hosts, Stream};
use super::in_flight::{HeldPacket, InFlight};
use crate::backend::faulty_links::FaultyLinks;
use crate::backend::program::{Controller, HostCommand, HostProgram, Inbox, SharedLog, Slot, lock};
use crate::record::{Ending, Record, ending};
use crate::scenario::Backend;
use crate::scenario::Scenario;
use crate::scenario::defaults;
use crate::support::{Millis, ScenarioError};
use echo_core::Role;
use std::future::pending;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};
use turmoil::Sim;

const TICK: Duration = Duration::from_millis(1);
/// Capacity of turmoil's queues, more than any run needs: turmoil 0.7.2 never delivers a FIN behind a full queue.
const CAPACITY: usize = 1 << 16;

/// Runs `scenario`. Returns the record, and `timing` with the choices that were made.
pub(super) fn run_as(scenario: &Scenario, budget: Millis, timing: Timing) -> Result<(Record, Timing), ScenarioError> {
    let mut simulation = Simulation { timing, ..Simulation::new(scenario) };
    let over = simulation.run(budget)?;
    let mut log = lock(&simulation.log);
    let over_at = over.then_some(log.now());
    let entries = std::mem::take(&mut *log).into_entries();
    let unreached = [simulation.controller.left(), simulation.links.left()].concat();
    let (scenario, packets) = (scenario.clone(), Vec::new());
    let record = Record { scenario, backend: Backend::Turmoil, over_at, budget, unreached, entries, packets };
    Ok((record, simulation.timing))
}

/// Both hosts, the network between them, and the controller of the programs.
pub(super) struct Simulation {
    pub(super) sim: Sim<'static>,
    pub(super) log: SharedLog,
    pub(super) controller: Controller<Stream>,
    pub(super) links: FaultyLinks<InFlight>,
    /// The packets that turmoil holds, in its order.
    pub(super) held: Vec<HeldPacket>,
    /// By [`Role`].
    pub(super) hosts: [HostState; 2],
    pub(super) client_address: IpAddr,
    pub(super) timing: Timing,
    /// By [`Role`].
    clocks: [HostClock; 2],
    /// The time on both clocks since the hosts were started.
    elapsed: Millis,
}

/// Whether a fault has ended a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HostState {
    Up,
    /// Its program has crashed. A real kernel then answers data with RST, and turmoil's does not.
    Crashed,
    /// It has no power.
    Dark,
}

/// What decides when a packet is delivered.
pub(super) enum Timing {
    /// The links, by the times when packets are due.
    Links,
    /// The choices of one order of delivery.
    Choices(Choices),
}

impl Simulation {
    fn new(scenario: &Scenario) -> Self {
        let mut builder = turmoil::Builder::new();
        builder.rng_seed(1).tick_duration(TICK).tcp_capacity(CAPACITY).simulation_duration(Duration::from_secs(3600));
        builder.epoch(UNIX_EPOCH + Duration::from_nanos(defaults::EPOCH.0.unsigned_abs()));
        builder.min_message_latency(Duration::ZERO).max_message_latency(Duration::ZERO);
        let mut sim = builder.build();
        let log = SharedLog::default();
        let streams = Role::BOTH.map(|_| Slot::default());
        let (controller, inboxes) = Controller::new(scenario, Arc::clone(&log), streams.clone());
        let [(client, for_client), (server, for_server)] = Role::BOTH.map(|_| HostClock::new());
        let inboxes = inboxes.into_iter().zip([for_client, for_server]);
        for ((role, stream), inbox) in Role::BOTH.into_iter().zip(streams).zip(inboxes) {
            start_host(&mut sim, HostProgram::new(role, scenario, 1, Arc::clone(&log), stream, Hosts), role, inbox);
        }
        sim.hold("client", "server");
        Self {
            client_address: sim.lookup("client"),
            sim,
            log,
            controller,
            links: FaultyLinks::new(scenario),
            held: Vec::new(),
            hosts: [HostState::Up; 2],
            timing: Timing::Links,
            clocks: [client, server],
            elapsed: 0,
        }
    }

    /// Runs until both ends have ended and nothing is in flight. Returns `false` if `budget` does not suffice.
    fn run(&mut self, budget: Millis) -> Result<bool, ScenarioError> {
        /// Steps without an event before the run is over: a command or a delivered packet takes a step to have an
        /// effect.
        const QUIET: u32 = 3;
        self.connect()?;
        let (mut seen, mut quiet, mut ahead) = (0, 0, 0);
        let (mut now, mut span) = (0, 1);
        // Whether something has arrived that no program has seen.
        let mut arrived = false;
        while now < budget {
            span = span.min(budget - now);
            now += span;
            lock(&self.log).advance(now);
            self.tell_taken(now);
            // A command takes a step of its own, so the hosts' clocks run ahead. They wait while no packet moves.
            if ahead > 0 && !self.held.contains(&HeldPacket::Leaves) {
                ahead -= 1;
            } else {
                self.step_for(span)?;
                arrived = false;
            }
            self.collect();
            while self.carry_out() {
                self.step()?;
                self.collect();
                ahead += 1;
            }
            arrived |= self.deliver();
            let is_over = self.is_over();
            let events = lock(&self.log).entries().len();
            let quiet_now = events == seen && self.links.next_due().is_none();
            (seen, quiet) = (events, if quiet_now { quiet + 1 } else { 0 });
            if quiet >= QUIET && is_over {
                return Ok(true);
            }
            span = if arrived || ahead > 0 { 1 } else { self.idle(now, is_over) };
        }
        Ok(false)
    }

    /// Whether both ends have ended.
    fn is_over(&self) -> bool {
        let log = lock(&self.log);
        Role::BOTH.into_iter().all(|side| ending(log.entries(), side) != Ending::Open)
    }

    /// Returns how many milliseconds the next step may take: nothing happens in them. What happens next is that a
    /// packet arrives, or that a program's alarm rings.
    fn idle(&self, now: Millis, is_over: bool) -> Millis {
        let packet = match (&self.timing, self.links.next_due()) {
            (Timing::Choices(_), _) => return 1,
            // The last steps are counted.
            (Timing::Links, None) if is_over => return 1,
            // Packets are delivered one step before they are due.
            (Timing::Links, due) => due.map(|due| due.saturating_sub(now + 1)),
        };
        let until = |side: Role| {
            let alarm = self.controller.stream(side)?.alarm()?;
            Some(self.clocks[side as usize].until(alarm, self.elapsed))
        };
        packet.into_iter().chain(Role::BOTH.into_iter().filter_map(until)).min().map_or(1, |span| span.max(1))
    }

    /// Connects both programs in no time, and starts them.
    fn connect(&mut self) -> Result<(), ScenarioError> {
        /// Steps for SYN, its answer and the accept, one each, with some to spare.
        const STEPS: u32 = 10;
        for _ in 0..STEPS {
            self.step()?;
            self.collect();
            if self.controller.is_connected() {
                self.controller.begin();
                self.carry_out();
                return Ok(());
            }
        }
        Err(ScenarioError::Run("turmoil: the connection did not come about".into()))
    }

    /// Takes a step of `span` milliseconds. If it is more than one, nothing may happen in it.
    fn step_for(&mut self, span: Millis) -> Result<(), ScenarioError> {
        if span > 1 {
            self.clocks.iter().for_each(|clock| clock.jump(span));
            self.elapsed += span - 1;
        }
        self.step()
    }

    fn step(&mut self) -> Result<(), ScenarioError> {
        self.elapsed += 1;
        self.sim.step().map(drop).map_err(|error| ScenarioError::Run(format!("turmoil: {error}")))
    }

    /// Carries out the commands that are due. Returns whether there were any.
    fn carry_out(&mut self) -> bool {
        let Self { sim, log, controller, links, hosts, .. } = self;
        controller.carry_out(|command| match command {
            HostCommand::Crash(side) => {
                hosts[side as usize] = HostState::Crashed;
                sim.crash(side.name());
            }
            HostCommand::Vanish(side) => {
                hosts[side as usize] = HostState::Dark;
                links.lose(side);
                sim.crash(side.name());
            }
            HostCommand::Cut(span) => links.cut(lock(log).now(), span),
        })
    }
}

fn start_host(sim: &mut Sim<'static>, program: HostProgram<Hosts>, role: Role, inbox: (Inbox, Jumps)) {
    // turmoil can start a host again; these hosts start only once.
    let inbox = Mutex::new(Some(inbox));
    let software = move || {
        let (program, inbox) = (program.clone(), lock(&inbox).take());
        async move {
            if let Some((inbox, jumps)) = inbox {
                jumps.begin();
                program.play(inbox).await?;
            }
            // The software must not return: then turmoil's host answers nothing more, not even from its kernel.
            pending().await
        }
    };
    sim.host(role.name(), software);
}
