//! The stage: both programs on their hosts, the network between them, and the step scheduler.

use super::fault_injector::{ScenarioFaultInjector, Waiting};
use crate::backend::program::{HostProgram, Net as Network, ProgramCommand, SharedLog, Slot, lock};
use crate::network::READ_INTERVAL;
use crate::packet::{Build, Net, PacketListener, PacketStream};
use crate::record::event_log::{LogEvent, Observer};
use crate::record::{Ending, Record, ending};
use crate::scenario::Backend;
use crate::scenario::Scenario;
use crate::scenario::defaults;
use crate::scenario::network::Span;
use crate::scenario::plan::{Action, Point, Step};
use crate::scenario::scheduler::{Command, StepScheduler};
use crate::support::{Millis, ScenarioError};
use crate::tcp::TimedEvent;
use echo_core::Role;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio::task::{JoinHandle, spawn_local, yield_now};
use tokio::time::{Instant, sleep, timeout};

const PORT: u16 = 2012;
/// The client's port of two conversations, one after the other.
const REUSED: u16 = 50_000;
/// The receive buffer of a socket, in bytes, if the scenario says nothing else.
const WINDOW: usize = 65_535;
/// The smallest buffer of a slow reader, in bytes.
const SMALL: usize = 64;
/// How long a connection may take (`tcp_syn_retries` is 127 s), and how long sockets may take to end
/// (`tcp_retries2` is 924 s, behind it TIME-WAIT), as the stacks' clocks count.
const CONNECTING: Duration = Duration::from_millis(127_000 / defaults::TCP_TIME_SCALE);
const ENDING: Duration = Duration::from_millis(1_000_000 / defaults::TCP_TIME_SCALE);

pub(super) struct Simulation {
    net: Net,
    log: SharedLog,
    scheduler: StepScheduler,
    waiting: Waiting,
    client: Host,
    server: Host,
    /// Whom the plan holds up no more at which point, once they know what they are to do.
    releases: Vec<(Role, Point)>,
    reboot: Option<Millis>,
    /// Something was noted on the event log.
    stirred: Arc<Notify>,
    begun: Instant,
    /// The network's time at the beginning.
    offset: Millis,
}

/// What the harness has of a host.
struct Host {
    commands: mpsc::UnboundedSender<ProgramCommand>,
    handle: Slot<PacketStream>,
    program: JoinHandle<io::Result<()>>,
}

/// The clock of the event log, who tells the step scheduler.
#[derive(Debug)]
struct Watch {
    begun: Instant,
    stirred: Arc<Notify>,
}

impl Observer for Watch {
    fn now(&self) -> Millis {
        Millis::try_from(self.begun.elapsed().as_millis()).unwrap_or(Millis::MAX)
    }

    fn noted(&self) {
        self.stirred.notify_one();
    }
}

/// The programs' way to the network.
#[derive(Clone, Debug)]
struct Wires {
    net: Net,
    /// The client's port.
    port: Option<u16>,
}

impl Network for Wires {
    type Stream = PacketStream;
    type Listener = PacketListener;

    async fn bind(&self) -> io::Result<PacketListener> {
        self.net.listen(Role::Server, PORT)
    }

    async fn accept(listener: &mut PacketListener) -> io::Result<PacketStream> {
        listener.accept().await
    }

    async fn connect(&self) -> io::Result<PacketStream> {
        self.net.connect_from(Role::Client, self.port, PORT).await
    }
}

impl Simulation {
    /// Brings the connection about, and tells the programs to begin.
    pub(super) async fn new(scenario: &Scenario) -> Result<Self, ScenarioError> {
        let network = &scenario.network;
        let (latency, batch) = (network.latency, network.batch);
        let window = match (network.window, network.takes) {
            (0, 0) => WINDOW,
            // What a slow reader has not taken waits in the sender's kernel, but for what two round trips need.
            (0, takes) => {
                SMALL.max(takes.saturating_mul((4 * (latency + batch)).div_ceil(READ_INTERVAL) as usize)).min(WINDOW)
            }
            (window, _) => window,
        };
        let net = Net::new(Build { latency, batch, pace: defaults::TCP_TIME_SCALE, window });
        let log = SharedLog::default();
        let taps = [Slot::<PacketStream>::default(), Slot::default()];
        let (fault_injector, waiting) = ScenarioFaultInjector::new(scenario, Arc::clone(&log), taps.clone());
        if network.earlier {
            rehearse(&net)
                .await
                .map_err(|error| ScenarioError::Run(format!("packet: no earlier conversation: {error}")))?;
        }
        net.begin(Box::new(fault_injector));
        let [client, server] = taps;
        let server = host(&net, Role::Server, scenario, &log, server);
        let client = host(&net, Role::Client, scenario, &log, client);
        let mut simulation = Self {
            net,
            log,
            scheduler: StepScheduler::new(scenario),
            waiting,
            client,
            server,
            releases: Vec::new(),
            reboot: network.reboot,
            stirred: Arc::new(Notify::new()),
            begun: Instant::now(),
            offset: 0,
        };
        if timeout(CONNECTING, simulation.connected()).await.is_err() {
            return Err(ScenarioError::Run("packet: the connection did not come about".into()));
        }
        for host in [&simulation.client, &simulation.server].into_iter().filter(|_| network.takes > 0) {
            if let Some(handle) = lock(&host.handle).as_ref() {
                handle.slow_down(network.takes);
            }
        }
        simulation.begin();
        Ok(simulation)
    }

    async fn connected(&self) {
        while [&self.client, &self.server].iter().any(|host| lock(&host.handle).is_none()) {
            sleep(Duration::from_millis(1)).await;
        }
    }

    fn begin(&mut self) {
        self.begun = Instant::now();
        self.offset = self.net.now();
        let watch = Watch { begun: self.begun, stirred: Arc::clone(&self.stirred) };
        lock(&self.log).watch(Arc::new(watch));
        self.client.command(ProgramCommand::Begin);
        self.server.command(ProgramCommand::Begin);
        self.direct();
    }

    /// Runs until both ends have ended and their sockets are gone; when that was, if it was within the budget.
    pub(super) async fn run(&mut self, budget: Millis) -> Option<Millis> {
        let end = self.begun + Duration::from_millis(budget);
        loop {
            // The programs come first: they have to know what has arrived before they are told what to do.
            yield_now().await;
            if self.direct() {
                continue;
            }
            if self.is_over() {
                let over_at = lock(&self.log).now();
                // What is left is for the kernels to do.
                let _ = timeout(ENDING, self.net.idle()).await;
                return Some(over_at);
            }
            tokio::select! { biased;
                () = self.stirred.notified() => (),
                () = tokio::time::sleep_until(end) => return None,
            }
        }
    }

    fn is_over(&self) -> bool {
        let log = lock(&self.log);
        Role::BOTH.into_iter().all(|side| ending(log.entries(), side) != Ending::Open)
    }

    /// What happened.
    pub(super) fn record(
        self,
        scenario: &Scenario,
        over_at: Option<Millis>,
        budget: Millis,
    ) -> Result<Record, ScenarioError> {
        if let Some(why) = self.net.stuck() {
            return Err(ScenarioError::Run(format!("packet: {why}")));
        }
        let entries = std::mem::take(&mut *lock(&self.log)).into_entries();
        let waiting = lock(&self.waiting).iter().map(ToString::to_string).collect();
        let unreached = [self.scheduler.left(), waiting].concat();
        let moment = |moment: TimedEvent| TimedEvent { at: moment.at.saturating_sub(self.offset), ..moment };
        let packets = self.net.log().into_iter().map(moment).collect();
        let scenario = scenario.clone();
        Ok(Record { scenario, backend: Backend::Packet, entries, over_at, budget, unreached, packets })
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
                None => {
                    // What kernels have to do for programs that are no more comes before what programs do.
                    self.net.flush();
                    return any;
                }
                Some(Command::Ask { from, to }) => {
                    (from..=to).for_each(|seq| self.client.command(ProgramCommand::Ask(seq)))
                }
                Some(Command::Act(side, step)) => self.act(side, step),
                Some(Command::Deafen(side)) => {
                    if let Some(handle) = lock(&self.host(side).handle).as_ref() {
                        handle.deafen();
                    }
                }
                Some(Command::Cut(span)) => self.cut(span),
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

    fn cut(&mut self, span: Span) {
        lock(&self.log).note(Role::Client, LogEvent::Cut);
        self.net.cut(span.after(self.net.now()));
    }

    fn act(&mut self, side: Role, step: Step) {
        if ending(lock(&self.log).entries(), side) != Ending::Open {
            return self.scheduler.miss(side, step);
        }
        lock(&self.log).note(side, LogEvent::Did(step.action));
        self.releases.push((side, step.point));
        match step.action {
            Action::Close | Action::HalfClose | Action::Drop | Action::DropUnread | Action::Abort | Action::Violate => {
                self.host(side).command(ProgramCommand::Act(step));
            }
            Action::Crash => self.host(side).crash(step),
            Action::Vanish => {
                self.net.power_down(side);
                self.host(side).crash(step);
                if let Some(span) = self.reboot {
                    let net = self.net.clone();
                    spawn_local(async move {
                        sleep(Duration::from_millis(span)).await;
                        net.power_up(side);
                    });
                }
            }
        }
    }
}

/// The network's fault injector knows the programs' instrumented streams, and these the network: somebody has to let go.
impl Drop for Simulation {
    fn drop(&mut self) {
        for host in [&self.client, &self.server] {
            *lock(&host.handle) = None;
        }
    }
}

impl Host {
    fn command(&self, command: ProgramCommand) {
        // A host that has crashed takes no commands.
        let _ = self.commands.send(command);
    }

    /// The program is no more, and its kernel closes its sockets.
    fn crash(&self, step: Step) {
        self.program.abort();
        if let Some(handle) = lock(&self.handle).as_ref() {
            handle.act(step);
        }
    }
}

/// Starts the program of `role`.
fn host(net: &Net, role: Role, scenario: &Scenario, log: &SharedLog, handle: Slot<PacketStream>) -> Host {
    let (commands, inbox) = mpsc::unbounded_channel();
    let wires = Wires { net: net.clone(), port: scenario.network.earlier.then_some(REUSED) };
    let cast = HostProgram::new(role, scenario, Arc::clone(log), Arc::clone(&handle), wires);
    let program = spawn_local(async move { cast.play(inbox).await });
    Host { commands, handle, program }
}

/// An earlier conversation on the ports that the one to come will have: the server has closed first, and its socket is
/// in TIME-WAIT.
async fn rehearse(net: &Net) -> io::Result<()> {
    let listener = net.listen(Role::Server, PORT)?;
    let (client, server) = tokio::join!(net.connect_from(Role::Client, Some(REUSED), PORT), listener.accept());
    drop(server?);
    let mut client = client?;
    tokio::io::AsyncReadExt::read(&mut client, &mut [0]).await?;
    drop(client);
    net.gone(Role::Client).await;
    Ok(())
}
