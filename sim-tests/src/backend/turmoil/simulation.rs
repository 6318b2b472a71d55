//! One simulation: both programs on their hosts, the network between them, and the step scheduler.

use super::choices::Choices;
use super::hosts::{Hosts, Stream};
use super::in_flight::{HeldPacket, InFlight};
use crate::backend::faulty_links::FaultyLinks;
use crate::backend::program::{HostProgram, ProgramCommand, SharedLog, Slot, lock};
use crate::record::event_log::LogEvent;
use crate::record::{Ending, Record, ending};
use crate::scenario::Backend;
use crate::scenario::Scenario;
use crate::scenario::defaults;
use crate::scenario::plan::{Action, Point, Step};
use crate::scenario::scheduler::{Command, StepScheduler};
use crate::support::{Millis, ScenarioError};
use echo_core::Role;
use std::future::pending;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};
use tokio::sync::mpsc;
use turmoil::Sim;

const TICK: Duration = Duration::from_millis(1);
/// More segments than any run has: a FIN behind a full queue is never seen in turmoil 0.7.2.
const CAPACITY: usize = 1 << 16;

/// Runs `scenario`, and gives the choices that were made in it, too.
pub(super) fn run_as(scenario: &Scenario, budget: Millis, timing: Timing) -> Result<(Record, Timing), ScenarioError> {
    let mut simulation = Simulation { timing, ..Simulation::new(scenario) };
    let over = simulation.run(budget)?;
    let mut log = lock(&simulation.log);
    let over_at = over.then_some(log.now());
    let entries = std::mem::take(&mut *log).into_entries();
    let unreached = [simulation.scheduler.left(), simulation.links.left()].concat();
    let (scenario, packets) = (scenario.clone(), Vec::new());
    let record = Record { scenario, backend: Backend::Turmoil, over_at, budget, unreached, entries, packets };
    Ok((record, simulation.timing))
}

/// Both hosts, the network between them, and the step scheduler.
pub(super) struct Simulation {
    pub(super) sim: Sim<'static>,
    pub(super) log: SharedLog,
    pub(super) scheduler: StepScheduler,
    pub(super) links: FaultyLinks<InFlight>,
    /// What turmoil holds, in its order.
    pub(super) held: Vec<HeldPacket>,
    pub(super) client: Host,
    pub(super) server: Host,
    pub(super) client_address: IpAddr,
    /// Whom the plan holds up no more at which point, once they know what they are to do.
    pub(super) releases: Vec<(Role, Point)>,
    pub(super) timing: Timing,
}

/// Who says when a packet is delivered.
pub(super) enum Timing {
    /// The links: when it is due.
    Links,
    /// A schedule.
    Choices(Choices),
}

/// What the harness has of a host.
pub(super) struct Host {
    pub(super) commands: mpsc::UnboundedSender<ProgramCommand>,
    pub(super) handle: Slot<Stream>,
    /// It has lost its power.
    pub(super) dark: bool,
    /// Its process has died: its kernel answers data with RST, which turmoil's does not.
    pub(super) crashed: bool,
}

impl Simulation {
    fn new(scenario: &Scenario) -> Self {
        let mut builder = turmoil::Builder::new();
        builder.rng_seed(1).tick_duration(TICK).tcp_capacity(CAPACITY).simulation_duration(Duration::from_secs(3600));
        builder.epoch(UNIX_EPOCH + Duration::from_nanos(defaults::EPOCH.0.unsigned_abs()));
        builder.min_message_latency(Duration::ZERO).max_message_latency(Duration::ZERO);
        let mut sim = builder.build();
        let log = SharedLog::default();
        let client = host(&mut sim, Role::Client, scenario, &log);
        let server = host(&mut sim, Role::Server, scenario, &log);
        sim.hold("client", "server");
        Self {
            client_address: sim.lookup("client"),
            sim,
            log,
            scheduler: StepScheduler::new(scenario),
            links: FaultyLinks::new(scenario),
            held: Vec::new(),
            client,
            server,
            releases: Vec::new(),
            timing: Timing::Links,
        }
    }

    /// Runs until both ends have ended and nothing is under way; `false` if the budget does not suffice.
    fn run(&mut self, budget: Millis) -> Result<bool, ScenarioError> {
        /// A command, or a packet that was just delivered, takes a step to show.
        const QUIET: u32 = 3;
        self.connect()?;
        let (mut seen, mut quiet, mut ahead) = (0, 0, 0);
        for now in 1..=budget {
            lock(&self.log).advance(now);
            self.tell_taken(now);
            // The hosts' clocks ran ahead where an order took a step of its own; they wait when nothing is under way.
            if ahead > 0 && !self.held.contains(&HeldPacket::Leaves) {
                ahead -= 1;
            } else {
                self.step()?;
            }
            self.collect();
            while self.direct() {
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

    /// Brings the connection about, in no time, and tells the hosts to begin.
    fn connect(&mut self) -> Result<(), ScenarioError> {
        /// SYN, its answer, and the accepting of what has come take a step each.
        const STEPS: u32 = 10;
        for _ in 0..STEPS {
            self.step()?;
            self.collect();
            if [&self.client, &self.server].iter().all(|host| lock(&host.handle).is_some()) {
                self.client.command(ProgramCommand::Begin);
                self.server.command(ProgramCommand::Begin);
                self.direct();
                return Ok(());
            }
        }
        Err(ScenarioError::Run("turmoil: the connection did not come about".into()))
    }

    fn step(&mut self) -> Result<(), ScenarioError> {
        self.sim.step().map(drop).map_err(|error| ScenarioError::Run(format!("turmoil: {error}")))
    }

    /// Tells the hosts what is due; whether anything was.
    fn direct(&mut self) -> bool {
        let mut any = !self.releases.is_empty();
        for (side, point) in std::mem::take(&mut self.releases) {
            if let Some(handle) = lock(&self.host(side).handle).as_ref() {
                handle.release(point);
            }
        }
        loop {
            let order = self.scheduler.next(&*lock(&self.log));
            match order {
                None => return any,
                Some(Command::Ask { from, to }) => {
                    (from..=to).for_each(|seq| self.client.command(ProgramCommand::Ask(seq)))
                }
                Some(Command::Act(side, step)) => self.act(side, step),
                Some(Command::Deafen(side)) => {
                    if let Some(handle) = lock(&self.host(side).handle).as_ref() {
                        handle.deafen();
                    }
                }
                Some(Command::Cut(span)) => {
                    let mut log = lock(&self.log);
                    self.links.cut(log.now(), span);
                    log.note(Role::Client, LogEvent::Cut);
                }
            }
            any = true;
        }
    }

    fn host(&mut self, side: Role) -> &mut Host {
        match side {
            Role::Client => &mut self.client,
            Role::Server => &mut self.server,
        }
    }

    fn act(&mut self, side: Role, step: Step) {
        if ending(lock(&self.log).entries(), side) != Ending::Open {
            return self.scheduler.miss(side, step);
        }
        lock(&self.log).note(side, LogEvent::Did(step.action));
        self.releases.push((side, step.point));
        let host = self.host(side);
        match step.action {
            Action::Close | Action::HalfClose | Action::Drop | Action::DropUnread | Action::Abort | Action::Violate => {
                host.command(ProgramCommand::Act(step));
            }
            Action::Crash => {
                host.crashed = true;
                self.sim.crash(side.name());
            }
            Action::Vanish => {
                host.dark = true;
                self.links.lose(side);
                self.sim.crash(side.name());
            }
        }
    }
}

impl Host {
    fn command(&self, command: ProgramCommand) {
        // A host that has crashed takes no commands.
        let _ = self.commands.send(command);
    }
}

/// Starts the host of `role`.
fn host(sim: &mut Sim<'static>, role: Role, scenario: &Scenario, log: &SharedLog) -> Host {
    let (commands, inbox) = mpsc::unbounded_channel();
    let handle = Slot::<Stream>::default();
    let cast = HostProgram::new(role, scenario, Arc::clone(log), Arc::clone(&handle), Hosts);
    // turmoil wants to be able to start a host again; these are started once.
    let inbox = Mutex::new(Some(inbox));
    let software = move || {
        let (cast, inbox) = (cast.clone(), lock(&inbox).take());
        async move {
            if let Some(inbox) = inbox {
                cast.play(inbox).await?;
            }
            // A host whose software has returned answers nothing any more, not even for its kernel.
            pending().await
        }
    };
    match role {
        Role::Client => sim.host("client", software),
        Role::Server => sim.host("server", software),
    }
    Host { commands, handle, dark: false, crashed: false }
}
