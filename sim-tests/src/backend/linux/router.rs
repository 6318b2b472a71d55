//! The packets of all runs: each passes from the device to its run's link, and from there back to the device.

use super::connection::Connection;
use super::holder::Ending;
use crate::linux::{Isolated, PacketDevice, SocketStates, addresses};
use crate::tcp::{Cause, TimedEvent};
use echo_core::Role;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::spawn_local;
use tokio::time::{Instant, sleep, sleep_until};

/// The pause between two looks at sockets that are about to end.
const PAUSE: Duration = Duration::from_millis(2);

/// A longer pause of this process can change the order of events: on the simulators, programs react within a
/// millisecond.
pub(super) const STALL: Duration = Duration::from_millis(super::SLOWER as u64 - 1);

/// The number of a run. Its hosts have addresses that no other run has at that time.
pub(super) type RunNumber = u16;

/// Passes packets. Clones share the router.
#[derive(Clone)]
pub(super) struct Router(Rc<Shared>);

struct Shared {
    device: PacketDevice,
    kernel: SocketStates,
    connections: RefCell<BTreeMap<RunNumber, Connection>>,
    /// The first failure of the kernel to answer.
    failure: RefCell<Option<io::Error>>,
    stirred: Arc<Notify>,
}

/// Returns the addresses of run `number`'s hosts, by [`Role`].
pub(super) fn addresses_of(number: RunNumber) -> [Ipv4Addr; 2] {
    let [high, low] = number.to_be_bytes();
    [1, 2].map(|host| Ipv4Addr::new(10, high, low, host))
}

/// Returns the run that an address belongs to, and its host.
fn owner(address: Ipv4Addr) -> Option<(RunNumber, Role)> {
    let [_, high, low, host] = address.octets();
    let side = match host {
        1 => Role::Client,
        2 => Role::Server,
        _ => return None,
    };
    Some((RunNumber::from_be_bytes([high, low]), side))
}

impl Router {
    /// Creates the device. Must be called in a `LocalSet`, where it passes packets from then on.
    ///
    /// # Errors
    /// The errors of [`PacketDevice::new`] and [`SocketStates::open`].
    pub(super) fn new(isolated: Isolated) -> io::Result<Self> {
        let device = PacketDevice::new(isolated)?;
        let kernel = SocketStates::open()?;
        let connections = RefCell::default();
        let router =
            Self(Rc::new(Shared { device, kernel, connections, failure: RefCell::default(), stirred: Arc::default() }));
        spawn_local(router.clone().forward());
        spawn_local(router.clone().watch());
        Ok(router)
    }

    pub(super) fn kernel(&self) -> &SocketStates {
        &self.0.kernel
    }

    /// Adds the connection of run `number`.
    pub(super) fn add(&self, number: RunNumber, connection: Connection) {
        self.0.connections.borrow_mut().insert(number, connection);
    }

    /// Returns a new run's holders that are to end. The router goes on when one has ended.
    pub(super) fn ending(&self) -> Ending {
        Ending::new(Arc::clone(&self.0.stirred))
    }

    /// Returns whether run `number` has a connection.
    pub(super) fn has(&self, number: RunNumber) -> bool {
        self.0.connections.borrow().contains_key(&number)
    }

    /// Removes the connection of run `number`, and returns its events. Its later packets are lost.
    pub(super) fn remove(&self, number: RunNumber) -> Vec<TimedEvent> {
        self.0.connections.borrow_mut().remove(&number).map(Connection::into_log).unwrap_or_default()
    }

    /// Calls `act` with the connection of run `number`, after all that the kernel has sent was taken.
    pub(super) fn with<T>(&self, number: RunNumber, act: impl FnOnce(&mut Connection) -> T) -> Option<T> {
        self.tick();
        self.collect();
        let result = self.0.connections.borrow_mut().get_mut(&number).map(act);
        self.0.stirred.notify_one();
        result
    }

    /// Waits until both sockets of run `number` are closed or in TIME-WAIT, for at most `limit`.
    pub(super) async fn settle(&self, number: RunNumber, limit: Duration) {
        let end = Instant::now() + limit;
        loop {
            let settled = self.with(number, |connection| {
                self.keep(connection.observe(&self.0.kernel, Cause::Program));
                connection.is_settled()
            });
            if settled != Some(false) || Instant::now() >= end {
                return;
            }
            sleep(PAUSE).await;
        }
    }

    /// Returns the first failure of the kernel to answer, if any.
    pub(super) fn failure(&self) -> Option<io::Error> {
        self.0.failure.borrow_mut().take()
    }

    fn keep(&self, result: io::Result<()>) {
        if let Err(error) = result {
            self.0.failure.borrow_mut().get_or_insert(error);
        }
    }

    /// Passes packets for ever.
    async fn forward(self) {
        loop {
            self.tick();
            self.collect();
            self.deliver();
            let due = self.0.connections.borrow().values().filter_map(Connection::due).min();
            let arrives = async {
                match due {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! { biased;
                readable = self.0.device.readable() => if readable.is_err() {
                    return self.keep(readable);
                },
                () = self.0.stirred.notified() => (),
                () = arrives => (),
            }
        }
    }

    /// Notes for ever when this process was not running for longer than [`STALL`].
    async fn watch(self) {
        loop {
            let begun = Instant::now();
            sleep(PAUSE).await;
            let late = begun.elapsed().saturating_sub(PAUSE);
            if late > STALL {
                let since = begun + PAUSE;
                let mut connections = self.0.connections.borrow_mut();
                connections.values_mut().for_each(|connection| connection.note_stall(since, late));
            }
        }
    }

    fn tick(&self) {
        let now = Instant::now();
        self.0.connections.borrow_mut().values_mut().for_each(|connection| connection.tick(now));
    }

    /// Takes all packets that the kernel has sent.
    fn collect(&self) {
        loop {
            let bytes = match self.0.device.read() {
                Ok(Some(bytes)) => bytes,
                Ok(None) => return,
                Err(error) => return self.keep(Err(error)),
            };
            let Some([from, _]) = addresses(&bytes) else { continue };
            let Some((number, side)) = owner(from) else { continue };
            if let Some(connection) = self.0.connections.borrow_mut().get_mut(&number) {
                self.keep(connection.take(side, bytes, &self.0.kernel));
            }
        }
    }

    /// Delivers all packets that are due, one at a time: the kernel answers some of them at once.
    fn deliver(&self) {
        let numbers: Vec<RunNumber> = self.0.connections.borrow().keys().copied().collect();
        for number in numbers {
            while self.deliver_next(number) {
                self.collect();
            }
        }
    }

    /// Delivers the next packet of a run. Returns whether one was due.
    fn deliver_next(&self, number: RunNumber) -> bool {
        let mut connections = self.0.connections.borrow_mut();
        let Some(connection) = connections.get_mut(&number) else { return false };
        let Some(packet) = connection.next_due() else { return false };
        self.keep(connection.observe(&self.0.kernel, Cause::Program));
        self.keep(self.0.device.write(&packet.bytes));
        self.keep(connection.arrived(&packet, &self.0.kernel));
        true
    }
}
