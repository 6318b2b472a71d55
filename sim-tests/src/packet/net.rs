//! The network as a program uses it: connecting, listening, and a task that advances it.

use super::kernel::Kernel;
use super::simulation::{Build, FaultInjector, Simulation};
use crate::support::Millis;
use crate::tcp::TimedEvent;
use echo_core::Role;
use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Poll;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

/// Two hosts, the client's and the server's, and the link between them. Clones share the network.
#[derive(Clone)]
pub struct Net(Arc<Shared>);

struct Shared {
    kernel: Mutex<Kernel>,
    started: Instant,
    /// Notified when the next due event may have changed.
    stirred: Arc<Notify>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.stirred.notify_one();
    }
}

impl fmt::Debug for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Net")
    }
}

impl Net {
    /// Builds a network that delivers everything. Spawns a task that lives as long as the network, so it must be called
    /// inside a tokio runtime, with paused time.
    pub fn new(build: Build) -> Self {
        let stirred = Arc::new(Notify::new());
        let kernel = Mutex::new(Kernel::new(Simulation::new(build)));
        let shared = Arc::new(Shared { kernel, started: Instant::now(), stirred: Arc::clone(&stirred) });
        tokio::spawn(drive(Arc::downgrade(&shared), stirred));
        Self(shared)
    }

    /// Clears the log and counts segments from 0. From now on `judge` decides the fate of each segment.
    pub fn begin(&self, judge: Box<dyn FaultInjector>) {
        self.act(|kernel| kernel.begin(judge));
    }

    /// Locks the kernel. Reads no clock, so it may be called while a runtime shuts down.
    pub(super) fn lock(&self) -> MutexGuard<'_, Kernel> {
        self.0.kernel.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `what` at the present time, then lets the stacks send all that is due.
    pub(super) fn act<T>(&self, what: impl FnOnce(&mut Kernel) -> T) -> T {
        let mut kernel = self.lock();
        kernel.advance(self.0.now());
        let result = what(&mut kernel);
        kernel.pump();
        drop(kernel);
        self.stir();
        result
    }

    /// Wakes the task that advances the network.
    pub(super) fn stir(&self) {
        self.0.stirred.notify_one();
    }

    /// Returns the virtual time since the network was built.
    pub fn now(&self) -> Millis {
        self.0.now()
    }

    /// Waits until all sockets of both hosts are CLOSED, except those that listen.
    pub async fn idle(&self) {
        poll_fn(|cx| {
            let mut kernel = self.lock();
            if kernel.is_idle() {
                return Poll::Ready(());
            }
            kernel.idle.push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Waits until `side` has no sockets, not even in TIME-WAIT, except those that listen.
    pub async fn gone(&self, side: Role) {
        while self.act(|kernel| kernel.has_any(side)) {
            sleep(Duration::from_millis(1)).await;
        }
    }

    /// Closes at once what was dropped.
    pub fn flush(&self) {
        self.act(|_| ());
    }

    /// Returns all events since [`Net::begin`], in the network's time.
    pub fn log(&self) -> Vec<TimedEvent> {
        self.lock().world.log().to_vec()
    }

    /// Returns why the simulation has stopped, if a stack is stuck.
    pub fn stuck(&self) -> Option<String> {
        self.lock().world.stuck.clone()
    }

    /// Blocks both directions until `until`; `None` is for ever.
    pub fn cut(&self, until: Option<Millis>) {
        self.act(|kernel| kernel.world.link.cut(until));
    }

    /// Delivers a packet to `to` at once that neither host has sent. It may be any bytes.
    pub fn inject(&self, to: Role, packet: Vec<u8>) {
        self.act(|kernel| kernel.world.inject(to, packet));
    }

    /// Cuts the power of `side`. It sends and receives nothing, and all its sockets are gone.
    pub fn power_down(&self, side: Role) {
        self.act(|kernel| kernel.power_down(side));
    }

    /// Restores the power of `side`. It answers packets of earlier connections with RST.
    pub fn power_up(&self, side: Role) {
        self.act(|kernel| kernel.world.power_up(side));
    }
}

impl Shared {
    fn now(&self) -> Millis {
        Millis::try_from(self.started.elapsed().as_millis()).unwrap_or(Millis::MAX)
    }
}

/// Processes due events, and sleeps until the next one.
async fn drive(net: Weak<Shared>, stirred: Arc<Notify>) {
    loop {
        let Some(shared) = net.upgrade() else { return };
        let due = {
            let mut kernel = shared.kernel.lock().unwrap_or_else(PoisonError::into_inner);
            kernel.advance(shared.now());
            kernel.turn();
            kernel.due()
        };
        let started = shared.started;
        // This task must not keep the network alive.
        drop(shared);
        match due {
            None => stirred.notified().await,
            Some(due) => tokio::select! { biased;
                () = stirred.notified() => (),
                () = sleep_until(started + Duration::from_millis(due)) => (),
            },
        }
    }
}
