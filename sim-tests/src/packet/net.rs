//! The network as a program uses it: it connects and listens, and time goes on by itself.

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

/// Two hosts, the client's and the server's, and the link between them. A clone is the same network.
#[derive(Clone)]
pub struct Net(Arc<Shared>);

struct Shared {
    kernel: Mutex<Kernel>,
    started: Instant,
    /// Something was done: what is due next may have changed.
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
    /// Builds a network that delivers everything. Must be called inside a tokio runtime with paused time, and spawns a
    /// task there that lives as long as the network.
    pub fn new(build: Build) -> Self {
        let stirred = Arc::new(Notify::new());
        let kernel = Mutex::new(Kernel::new(Simulation::new(build)));
        let shared = Arc::new(Shared { kernel, started: Instant::now(), stirred: Arc::clone(&stirred) });
        tokio::spawn(drive(Arc::downgrade(&shared), stirred));
        Self(shared)
    }

    /// From now on `check_run` decides what becomes of each segment, and segments are counted from 0.
    pub fn begin(&self, judge: Box<dyn FaultInjector>) {
        self.act(|kernel| kernel.begin(judge));
    }

    /// The kernel as it stands. Reads no clock, so that it can be called when a runtime ends.
    pub(super) fn lock(&self) -> MutexGuard<'_, Kernel> {
        self.0.kernel.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something now, and whatever follows from it at once.
    pub(super) fn act<T>(&self, what: impl FnOnce(&mut Kernel) -> T) -> T {
        let mut kernel = self.lock();
        kernel.advance(self.0.now());
        let result = what(&mut kernel);
        kernel.pump();
        drop(kernel);
        self.stir();
        result
    }

    /// Makes sure that what is due is seen to.
    pub(super) fn stir(&self) {
        self.0.stirred.notify_one();
    }

    /// Virtual time since the network was built.
    pub fn now(&self) -> Millis {
        self.0.now()
    }

    /// Ready when every socket of both hosts is CLOSED, but those that listen.
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

    /// Ready when no socket of `side` is left, be it in TIME-WAIT.
    pub async fn gone(&self, side: Role) {
        while self.act(|kernel| kernel.has_any(side)) {
            sleep(Duration::from_millis(1)).await;
        }
    }

    /// Closes what was dropped, now and not a moment later.
    pub fn flush(&self) {
        self.act(|_| ());
    }

    /// Everything since [`Net::begin`]. Its times are the network's.
    pub fn log(&self) -> Vec<TimedEvent> {
        self.lock().world.log().to_vec()
    }

    /// Why nothing goes on any more, should a stack have got stuck.
    pub fn stuck(&self) -> Option<String> {
        self.lock().world.stuck.clone()
    }

    /// Nothing gets through before `until`, in either direction; `None` is never.
    pub fn cut(&self, until: Option<Millis>) {
        self.act(|kernel| kernel.world.link.cut(until));
    }

    /// A packet that neither host has sent arrives at `to` now: any bytes, such as a stranger may send.
    pub fn inject(&self, to: Role, packet: Vec<u8>) {
        self.act(|kernel| kernel.world.inject(to, packet));
    }

    /// The power of `side` is lost: it sends nothing and hears nothing, and no socket of it is left.
    pub fn power_down(&self, side: Role) {
        self.act(|kernel| kernel.power_down(side));
    }

    /// The power is back. What comes for a connection from before is answered with RST.
    pub fn power_up(&self, side: Role) {
        self.act(|kernel| kernel.world.power_up(side));
    }
}

impl Shared {
    fn now(&self) -> Millis {
        Millis::try_from(self.started.elapsed().as_millis()).unwrap_or(Millis::MAX)
    }
}

/// Lets time go on.
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
        // The network ends when its users are gone.
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
