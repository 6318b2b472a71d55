//! One simulation: both programs on their hosts, the network between them, and the controller.

use super::choices::Choices;
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
        }
    }

    /// Runs until both ends have ended and nothing is in flight. Returns `false` if `budget` does not suffice.
    fn run(&mut self, budget: Millis) -> Result<bool, ScenarioError> {
        /// Steps without an event before the run is over: a command or a delivered packet takes a step to have an
        /// effect.
        const QUIET: u32 = 3;
        self.connect()?;
        let (mut seen, mut quiet, mut ahead) = (0, 0, 0);
        for now in 1..=budget {
            lock(&self.log).advance(now);
            self.tell_taken(now);
            // A command takes a step of its own, so the hosts' clocks run ahead. They wait while no packet moves.
            if ahead > 0 && !self.held.contains(&HeldPacket::Leaves) {
                ahead -= 1;
            } else {
                self.step()?;
            }
            self.collect();
            while self.carry_out() {
                self.step()?;
                self.collect();
                ahead += 1;
            }
            self.deliver();
            let log = lock(&self.log);
            if log.entries().len() != seen || self.links.next_due().is_some() {
                (seen, quiet) = (log.entries().len(), 0);
                continue;
            }
            quiet += 1;
            let is_over = |side| ending(log.entries(), side) != Ending::Open;
            if quiet >= QUIET && is_over(Role::Client) && is_over(Role::Server) {
                return Ok(true);
            }
        }
        Ok(false)
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

    fn step(&mut self) -> Result<(), ScenarioError> {
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

fn start_host(sim: &mut Sim<'static>, program: HostProgram<Hosts>, role: Role, inbox: Inbox) {
    // turmoil can start a host again; these hosts start only once.
    let inbox = Mutex::new(Some(inbox));
    let software = move || {
        let (program, inbox) = (program.clone(), lock(&inbox).take());
        async move {
            if let Some(inbox) = inbox {
                program.play(inbox).await?;
            }
            // The software must not return: then turmoil's host answers nothing more, not even from its kernel.
            pending().await
        }
    };
    sim.host(role.name(), software);
}
