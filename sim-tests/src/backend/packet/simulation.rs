//! One simulation: both programs on their hosts, the network between them, and the controller.

use crate::backend::fault_injector::{ScenarioFaultInjector, WaitingFaults};
use crate::backend::program::{Controller, HostCommand, Net as Network, SharedLog, Slot, Watch, lock, start_programs};
use crate::network::READ_INTERVAL;
use crate::packet::{Build, Net, PacketListener, PacketStream};
use crate::record::Record;
use crate::scenario::Backend;
use crate::scenario::Scenario;
use crate::scenario::defaults;
use crate::support::{Millis, ScenarioError};
use crate::tcp::TimedEvent;
use echo_core::Role;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::{sleep, timeout};

const PORT: u16 = 2012;
/// The client's port if two conversations follow each other on the same ports.
const REUSED: u16 = 50_000;
/// The receive buffer of a socket in bytes, if the scenario sets none.
const WINDOW: usize = 65_535;
/// The smallest buffer of a slow reader, in bytes.
const SMALL: usize = 64;
/// Limit for connecting: 127 s of the stacks' time, as `tcp_syn_retries` gives.
const CONNECTING: Duration = Duration::from_millis(127_000 / defaults::TCP_TIME_SCALE);
/// Limit for the sockets to end: 1000 s of the stacks' time, for the 924 s of `tcp_retries2` and TIME-WAIT.
const ENDING: Duration = Duration::from_millis(1_000_000 / defaults::TCP_TIME_SCALE);

pub(super) struct Simulation {
    net: Net,
    log: SharedLog,
    controller: Controller<PacketStream>,
    waiting: WaitingFaults,
    /// By [`Role`].
    programs: [JoinHandle<io::Result<()>>; 2],
    reboot: Option<Millis>,
    /// The network's time at the beginning.
    offset: Millis,
}

/// The network as the programs use it.
#[derive(Clone, Debug)]
struct Wires {
    net: Net,
    /// The client's port, if it is fixed.
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
    /// Connects both programs, and starts them.
    pub(super) async fn new(scenario: &Scenario) -> Result<Self, ScenarioError> {
        let network = &scenario.network;
        let (latency, batch) = (network.latency, network.batch);
        let window = match (network.window, network.takes) {
            (0, 0) => WINDOW,
            // The buffer holds what two round trips need. The rest that a slow reader has not read waits at the sender.
            (0, takes) => {
                SMALL.max(takes.saturating_mul((4 * (latency + batch)).div_ceil(READ_INTERVAL) as usize)).min(WINDOW)
            }
            (window, _) => window,
        };
        let net = Net::new(Build { latency, batch, pace: defaults::TCP_TIME_SCALE, window });
        let log = SharedLog::default();
        let streams = Role::BOTH.map(|_| Slot::default());
        let (fault_injector, waiting) = ScenarioFaultInjector::new(scenario, Arc::clone(&log), streams.clone());
        if network.earlier {
            rehearse(&net)
                .await
                .map_err(|error| ScenarioError::Run(format!("packet: no earlier conversation: {error}")))?;
        }
        net.begin(Box::new(fault_injector));
        let (controller, inboxes) = Controller::new(scenario, Arc::clone(&log), streams.clone());
        let wires = Wires { net: net.clone(), port: network.earlier.then_some(REUSED) };
        let programs = start_programs(scenario, 1, &log, &streams, inboxes, &wires);
        let simulation = Self { net, log, controller, waiting, programs, reboot: network.reboot, offset: 0 };
        if !simulation.controller.connected(CONNECTING).await {
            return Err(ScenarioError::Run("packet: the connection did not come about".into()));
        }
        simulation.controller.slow_down(network.takes);
        Ok(simulation)
    }

    /// Runs until both ends have ended and their sockets are gone. Returns when both had ended, `None` after `budget`.
    pub(super) async fn run(&mut self, budget: Millis) -> Option<Millis> {
        self.offset = self.net.now();
        let watch = Watch::begin(&self.log, 1);
        self.controller.begin();
        self.carry_out();
        let log = Arc::clone(&self.log);
        let over_at = watch.run(&log, budget, || self.carry_out()).await?;
        // Only the kernels still have work to do.
        let _ = timeout(ENDING, self.net.idle()).await;
        Some(over_at)
    }

    /// Returns the record of the run.
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
        let unreached = [self.controller.left(), waiting].concat();
        let moment = |moment: TimedEvent| TimedEvent { at: moment.at.saturating_sub(self.offset), ..moment };
        let packets = self.net.log().into_iter().map(moment).collect();
        let scenario = scenario.clone();
        Ok(Record { scenario, backend: Backend::Packet, entries, over_at, budget, unreached, packets })
    }

    /// Carries out the commands that are due. Returns whether there were any.
    fn carry_out(&mut self) -> bool {
        let Self { net, controller, programs, reboot, .. } = self;
        let any = controller.carry_out(|command| match command {
            HostCommand::Crash(side) => programs[side as usize].abort(),
            HostCommand::Vanish(side) => {
                net.power_down(side);
                programs[side as usize].abort();
                if let Some(span) = *reboot {
                    let net = net.clone();
                    spawn_local(async move {
                        sleep(Duration::from_millis(span)).await;
                        net.power_up(side);
                    });
                }
            }
            HostCommand::Cut(span) => net.cut(span.after(net.now())),
        });
        // What kernels send for ended programs goes before what programs do next.
        net.flush();
        any
    }
}

/// Breaks a reference cycle: the network's fault injector holds the programs' streams, and these hold the network.
impl Drop for Simulation {
    fn drop(&mut self) {
        self.controller.forget_streams();
    }
}

/// Runs an earlier conversation on the ports of the next one. The server closes first, so its socket is in TIME-WAIT.
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
