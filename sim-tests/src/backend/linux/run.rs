//! One conversation on the kernel.

use super::SLOWER;
use super::history::History;
use super::net::{Hosts, LinuxStream};
use crate::backend::program::{Controller, HostCommand, SharedLog, Slot, Watch, lock, start_programs};
use crate::linux::{Isolated, PacketFilter};
use crate::record::Record;
use crate::record::event_log::{LogEntry, LogEvent, Unit};
use crate::scenario::network::Span;
use crate::scenario::plan::Action;
use crate::scenario::{Backend, Scenario, defaults};
use crate::support::{Millis, ScenarioError};
use echo_core::{Deadline, Role};
use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::{Instant, sleep};

/// Limit for connecting.
const CONNECTING: Duration = Duration::from_secs(5);
/// Time for the sockets to end after the programs. Those of a host that has vanished do not.
const SETTLING: Duration = Duration::from_millis(500);

/// A network namespace in which conversations run, several at once if asked for.
#[derive(Clone, Debug)]
pub struct LinuxNetwork {
    filter: Rc<PacketFilter>,
    history: History,
    runs: Rc<Cell<u16>>,
}

impl LinuxNetwork {
    /// Sets the namespace up. Must be called in a `LocalSet`, where it samples the states of sockets from then on.
    ///
    /// # Errors
    /// As [`PacketFilter::new`].
    pub fn new(isolated: Isolated) -> io::Result<Self> {
        let filter = Rc::new(PacketFilter::new(isolated)?);
        let history = History::default();
        spawn_local(history.clone().sample());
        Ok(Self { filter, history, runs: Rc::default() })
    }

    /// Runs `scenario`. The record's `packets` are the sockets' changes of state, as far as samples show them.
    ///
    /// # Errors
    /// A [`ScenarioError`] if the scenario makes no sense, the kernel cannot express it, or the system fails.
    pub async fn run(&self, scenario: &Scenario) -> Result<Record, ScenarioError> {
        scenario.check()?;
        Backend::Linux.expresses(scenario)?;
        let failed = |error: io::Error| ScenarioError::Run(format!("linux: {error}"));
        let number = self.runs.get();
        self.runs.set(number.checked_add(1).ok_or_else(|| failed(io::Error::other("too many runs in one namespace")))?);
        let mut run = Run::start(scenario, number, Rc::clone(&self.filter));
        if !run.controller.connected(CONNECTING).await {
            return Err(ScenarioError::Run("linux: no connection within 5 s".into()));
        }
        let pair = *lock(&run.hosts.pair);
        let pair = pair.ok_or_else(|| failed(io::ErrorKind::NotConnected.into()))?;
        self.history.watch(pair);
        let begun = Instant::now();
        let budget = defaults::budget(scenario);
        let over_at = run.converse(scenario, budget).await;
        let packets = self.history.settle(pair, begun, SETTLING).await;
        if let Some(error) = run.failure.take() {
            return Err(failed(error));
        }
        let entries = complete(std::mem::take(&mut *lock(&run.log)).into_entries());
        let unreached = run.controller.left();
        Ok(Record { scenario: scenario.clone(), backend: Backend::Linux, entries, over_at, budget, unreached, packets })
    }
}

/// Adds the FINs and RSTs that a kernel has sent by itself. Nothing shows them before they arrive.
fn complete(entries: Vec<LogEntry>) -> Vec<LogEntry> {
    let mut complete: Vec<LogEntry> = Vec::new();
    for entry in entries {
        if let LogEvent::Got(unit @ (Unit::Fin | Unit::Reset)) = &entry.what {
            let sent = LogEntry { at: entry.at, side: entry.side.peer(), what: LogEvent::Sent(unit.clone()) };
            let is_known = complete.iter().any(|known| (known.side, &known.what) == (sent.side, &sent.what));
            if !is_known {
                complete.push(sent);
            }
        }
        complete.push(entry);
    }
    complete
}

/// The scenario with deadlines for real time.
fn slower(scenario: &Scenario) -> Scenario {
    let mut slower = scenario.clone();
    let server = defaults::deadlines_of(scenario, Role::Server);
    slower.overrides.deadlines = Deadline::ALL
        .into_iter()
        .map(|deadline| {
            (deadline, u64::from(SLOWER) * Millis::try_from(server.length(deadline).as_millis()).unwrap_or(Millis::MAX))
        })
        .collect();
    slower
}

struct Run {
    hosts: Hosts,
    log: SharedLog,
    controller: Controller<LinuxStream>,
    /// By [`Role`].
    programs: [JoinHandle<io::Result<()>>; 2],
    filter: Rc<PacketFilter>,
    failure: Option<io::Error>,
}

impl Run {
    /// Starts both programs.
    fn start(scenario: &Scenario, number: u16, filter: Rc<PacketFilter>) -> Self {
        let crashes = |side| scenario.plan(side).steps.iter().any(|step| step.action == Action::Crash);
        let hosts = Hosts {
            addresses: Hosts::addresses(number),
            window: scenario.network.window,
            crashes: Role::BOTH.map(crashes),
            pair: Arc::new(Mutex::new(None)),
        };
        let log = SharedLog::default();
        let streams = Role::BOTH.map(|_| Slot::default());
        let (controller, inboxes) = Controller::new(scenario, Arc::clone(&log), streams.clone());
        let programs = start_programs(&slower(scenario), &log, &streams, inboxes, &hosts);
        Self { hosts, log, controller, programs, filter, failure: None }
    }

    /// Runs until both programs have ended.
    async fn converse(&mut self, scenario: &Scenario, budget: Millis) -> Option<Millis> {
        self.controller.slow_down(scenario.network.takes);
        let log = Arc::clone(&self.log);
        let watch = Watch::begin(&log, SLOWER);
        self.controller.begin();
        self.carry_out();
        watch.run(&log, budget, || self.carry_out()).await
    }

    /// Carries out the commands that are due. Returns whether there were any.
    fn carry_out(&mut self) -> bool {
        let Self { hosts, controller, programs, filter, failure, .. } = self;
        let mut keep = |result: io::Result<()>| {
            if let Err(error) = result {
                failure.get_or_insert(error);
            }
        };
        controller.carry_out(|command| match command {
            HostCommand::Crash(side) => programs[side as usize].abort(),
            HostCommand::Vanish(side) => {
                keep(filter.cut(hosts.addresses[side as usize]));
                programs[side as usize].abort();
            }
            HostCommand::Cut(span) => {
                let server = hosts.addresses[Role::Server as usize];
                keep(filter.cut(server));
                if let Span::For(span) = span {
                    let filter = Rc::clone(filter);
                    spawn_local(async move {
                        sleep(Duration::from_millis(u64::from(SLOWER) * span)).await;
                        // A failure shows: the conversation stays cut.
                        let _ = filter.heal(server);
                    });
                }
            }
        })
    }
}

/// Ends what is left of the programs, the server's listener among them, also after an error.
impl Drop for Run {
    fn drop(&mut self) {
        self.programs.iter().for_each(JoinHandle::abort);
    }
}
