//! One conversation on the kernel.

use super::SLOWER;
use super::connection::Connection;
use super::net::{Hosts, LinuxStream};
use super::router::{Router, RunNumber, STALL};
use crate::backend::fault_injector::{ScenarioFaultInjector, WaitingFaults};
use crate::backend::program::{Controller, HostCommand, SharedLog, Slot, Watch, lock, start_programs};
use crate::linux::{Isolated, set};
use crate::record::Record;
use crate::scenario::plan::Action;
use crate::scenario::{Backend, Scenario, defaults};
use crate::support::{Millis, ScenarioError};
use crate::tcp::TimedEvent;
use echo_core::Role;
use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{JoinHandle, LocalSet, spawn_local};
use tokio::time::{sleep, timeout};

/// Limit for connecting: several SYNs may be lost, and the kernel sends the next after 1, 3 and 7 s.
const CONNECTING: Duration = Duration::from_secs(20);
/// Time for the sockets to end after the programs. Those of a host that has vanished do not.
const SETTLING: Duration = Duration::from_millis(500);

/// How often a run is tried.
const TRIES: u32 = 20;
/// The pause before the second try; it grows by as much with each further one.
const RETRY: Duration = Duration::from_millis(50);

/// A network namespace in which conversations run, several at once if asked for.
#[derive(Clone)]
pub struct LinuxNetwork {
    isolated: Isolated,
    router: Router,
    runs: Rc<Cell<RunNumber>>,
}

impl std::fmt::Debug for LinuxNetwork {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LinuxNetwork").field("runs", &self.runs.get()).finish_non_exhaustive()
    }
}

impl LinuxNetwork {
    /// Sets the namespace up. Must be called in a `LocalSet`, where it passes packets from then on.
    ///
    /// # Errors
    /// The errors of [`PacketDevice::new`](crate::linux::PacketDevice::new) and of
    /// [`SocketStates::open`](crate::linux::SocketStates::open).
    pub fn new(isolated: Isolated) -> io::Result<Self> {
        Ok(Self { isolated, router: Router::new(isolated)?, runs: Rc::default() })
    }

    /// Runs `scenario`. The record's `packets` are the packets of the kernel, and the changes of its sockets' states.
    ///
    /// A run in which this process stood still while packets were due says nothing, so it is repeated.
    ///
    /// # Errors
    /// A [`ScenarioError`] if the scenario makes no sense, the kernel cannot express it, the system fails, or the
    /// machine is too busy for a run in time.
    pub async fn run(&self, scenario: &Scenario) -> Result<Record, ScenarioError> {
        scenario.check()?;
        Backend::Linux.expresses(scenario)?;
        // Tasks of its own, so that the programs' tasks run in the same order, however many other runs there are.
        LocalSet::new().run_until(self.try_in_time(scenario)).await
    }

    async fn try_in_time(&self, scenario: &Scenario) -> Result<Record, ScenarioError> {
        let failed = |error: io::Error| ScenarioError::Run(format!("linux: {error}"));
        for tries in 1..=TRIES {
            let number = self.next_number();
            let started = Run::start(scenario, number, self.router.clone()).await;
            let mut run = started.map_err(|error| {
                self.router.remove(number);
                failed(error)
            })?;
            if !run.controller.connected(CONNECTING).await {
                return Err(ScenarioError::Run("linux: no connection within 20 s".into()));
            }
            let budget = defaults::budget(scenario);
            let over_at = run.converse(scenario, budget).await;
            self.router.settle(number, SETTLING).await;
            let lateness = self.router.with(number, |connection| connection.lateness()).unwrap_or_default();
            if let Some(error) = self.router.failure() {
                return Err(failed(error));
            }
            if lateness <= STALL {
                return Ok(run.record(scenario, over_at, budget));
            }
            drop(run);
            // What keeps the machine busy may be over then.
            sleep(tries * RETRY).await;
        }
        Err(ScenarioError::Run(format!("linux: the machine is too busy: in {TRIES} runs, this process stood still")))
    }

    /// Changes a setting of the namespace: `name` is its path below `/proc/sys/net`.
    ///
    /// # Errors
    /// There is no such setting, or it does not take the value.
    pub fn set(&self, name: &str, value: &str) -> io::Result<()> {
        set(self.isolated, name, value)
    }

    pub(super) fn router(&self) -> Router {
        self.router.clone()
    }

    /// Returns a number that no run has now. A number comes again after 65,536 runs. They take longer than any socket of
    /// the last run with it can stay: TIME-WAIT lasts a minute, a socket without a program less than two.
    pub(super) fn next_number(&self) -> RunNumber {
        loop {
            let number = self.runs.get();
            self.runs.set(number.wrapping_add(1));
            if !self.router.has(number) {
                return number;
            }
        }
    }
}

struct Run {
    number: RunNumber,
    router: Router,
    hosts: Hosts,
    log: SharedLog,
    controller: Controller<LinuxStream>,
    waiting: WaitingFaults,
    /// By [`Role`].
    programs: [JoinHandle<io::Result<()>>; 2],
    reboot: Option<Millis>,
    /// The connection's time at the beginning.
    offset: Millis,
}

impl Run {
    /// Starts both programs.
    async fn start(scenario: &Scenario, number: RunNumber, router: Router) -> io::Result<Self> {
        let network = &scenario.network;
        let crashes = |side| scenario.plan(side).steps.iter().any(|step| step.action == Action::Crash);
        let ending = router.ending();
        let mut hosts = Hosts::new(number, network.window, Role::BOTH.map(crashes), ending.clone());
        let log = SharedLog::default();
        let streams = Role::BOTH.map(|_| Slot::default());
        router.add(number, Connection::new(hosts.addresses, network.latency, network.batch));
        if network.earlier {
            timeout(CONNECTING, hosts.rehearse()).await??;
            router.settle(number, CONNECTING).await;
        }
        let (injector, waiting) = ScenarioFaultInjector::new(scenario, Arc::clone(&log), streams.clone());
        router.with(number, |connection| connection.begin(Box::new(injector), ending));
        let (controller, inboxes) = Controller::new(scenario, Arc::clone(&log), streams.clone());
        let programs = start_programs(scenario, SLOWER, &log, &streams, inboxes, &hosts);
        Ok(Self { number, router, hosts, log, controller, waiting, programs, reboot: network.reboot, offset: 0 })
    }

    /// Runs until both programs have ended.
    async fn converse(&mut self, scenario: &Scenario, budget: Millis) -> Option<Millis> {
        let begin = |connection: &mut Connection| {
            // Starting the processes that hold sockets takes time.
            connection.forget_lateness();
            connection.now()
        };
        self.offset = self.router.with(self.number, begin).unwrap_or_default();
        self.controller.slow_down(scenario.network.takes);
        let log = Arc::clone(&self.log);
        let watch = Watch::begin(&log, SLOWER);
        self.controller.begin();
        self.carry_out();
        watch.run(&log, budget, || self.carry_out()).await
    }

    fn record(self, scenario: &Scenario, over_at: Option<Millis>, budget: Millis) -> Record {
        let entries = std::mem::take(&mut *lock(&self.log)).into_entries();
        let waiting = lock(&self.waiting).iter().map(ToString::to_string).collect();
        let unreached = [self.controller.left(), waiting].concat();
        let moment = |moment: TimedEvent| TimedEvent { at: moment.at.saturating_sub(self.offset), ..moment };
        let packets = self.router.remove(self.number).into_iter().map(moment).collect();
        Record { scenario: scenario.clone(), backend: Backend::Linux, entries, over_at, budget, unreached, packets }
    }

    /// Carries out the commands that are due. Returns whether there were any.
    fn carry_out(&mut self) -> bool {
        let Self { number, router, hosts, controller, programs, reboot, .. } = self;
        controller.carry_out(|command| match command {
            HostCommand::Crash(side) => programs[side as usize].abort(),
            HostCommand::Vanish(side) => {
                router.with(*number, |connection| connection.set_dark(side, true));
                hosts.power_down(side);
                programs[side as usize].abort();
                if let Some(span) = *reboot {
                    let (number, router) = (*number, router.clone());
                    spawn_local(async move {
                        sleep(Duration::from_millis(u64::from(SLOWER) * span)).await;
                        router.with(number, |connection| connection.set_dark(side, false));
                    });
                }
            }
            HostCommand::Cut(span) => {
                router.with(*number, |connection| connection.cut(span.after(connection.now())));
            }
        })
    }
}

/// Ends what is left of the programs, the server's listener among them, also after an error.
impl Drop for Run {
    fn drop(&mut self) {
        self.programs.iter().for_each(JoinHandle::abort);
        self.router.remove(self.number);
    }
}
