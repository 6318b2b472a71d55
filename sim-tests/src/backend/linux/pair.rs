//! Two connected sockets of the kernel for any program, with the network between them.

use super::connection::Connection;
use super::net::socket;
use super::router::{Router, RunNumber, STALL, addresses_of};
use super::run::LinuxNetwork;
use crate::linux::SocketPair;
use crate::support::Millis;
use crate::tcp::{TcpState, TimedEvent};
use echo_core::Role;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Limit for connecting.
const CONNECTING: Duration = Duration::from_secs(20);

/// The network between two sockets. When it is dropped, it loses every packet.
pub struct PairNetwork {
    number: RunNumber,
    router: Router,
    pair: SocketPair,
}

impl LinuxNetwork {
    /// Returns a connected client and server, and the network between them. A packet takes `latency`, and arrives only at
    /// multiples of `batch` (0 is at any time), in milliseconds of real time. `window` is the size of the receive buffers
    /// as `SO_RCVBUF` takes it; 0 is the system's.
    ///
    /// # Errors
    /// The system has no more sockets, or there is no connection within 20 s.
    pub async fn pair(
        &self,
        latency: Millis,
        batch: Millis,
        window: u32,
    ) -> io::Result<(TcpStream, TcpStream, PairNetwork)> {
        let (number, router) = (self.next_number(), self.router());
        let [latency, batch] = [latency, batch].map(|span| span.div_ceil(u64::from(super::SLOWER)));
        router.add(number, Connection::new(addresses_of(number), latency, batch));
        let connected = timeout(CONNECTING, connect(addresses_of(number), window)).await;
        match connected.map_err(io::Error::from).flatten() {
            Ok((client, server, pair)) => Ok((client, server, PairNetwork { number, router, pair })),
            Err(error) => {
                router.remove(number);
                Err(error)
            }
        }
    }
}

async fn connect([client, server]: [Ipv4Addr; 2], window: u32) -> io::Result<(TcpStream, TcpStream, SocketPair)> {
    let [client, server] = [client, server].map(|address| socket(SocketAddrV4::new(address, 0), window));
    let listener = server?.listen(8)?;
    let (connected, accepted) = tokio::join!(client?.connect(listener.local_addr()?), listener.accept());
    let (client, (server, _)) = (connected?, accepted?);
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let v4 = |address: io::Result<SocketAddr>| match address? {
        SocketAddr::V4(address) => Ok(address),
        SocketAddr::V6(_) => Err(io::Error::from(io::ErrorKind::Unsupported)),
    };
    let pair = SocketPair { client: v4(client.local_addr())?, server: v4(server.local_addr())? };
    Ok((client, server, pair))
}

impl PairNetwork {
    /// Returns the addresses of both sockets.
    pub fn addresses(&self) -> SocketPair {
        self.pair
    }

    /// Loses every packet from now on, those in flight included, or delivers them again.
    pub fn set_cut(&self, is_cut: bool) {
        Role::BOTH.into_iter().for_each(|side| self.set_dark(side, is_cut));
    }

    /// Holds every packet for `span` milliseconds, those in flight included; `None` is for ever.
    pub fn cut(&self, span: Option<Millis>) {
        let span = span.map(|span| span.div_ceil(u64::from(super::SLOWER)));
        self.router.with(self.number, |connection| connection.cut(span.map(|span| connection.now() + span)));
    }

    /// Returns why the kernel has not answered about a socket, if it has not.
    pub fn failure(&self) -> Option<io::Error> {
        self.router.failure()
    }

    /// Cuts the power of the host of `side`, or restores it: it sends and receives no packet. What it has sent before
    /// arrives.
    pub fn set_dark(&self, side: Role, is_dark: bool) {
        self.router.with(self.number, |connection| connection.set_dark(side, is_dark));
    }

    /// Returns the states of both sockets, the client's first.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub fn states(&self) -> io::Result<[TcpState; 2]> {
        self.router.kernel().of(self.pair)
    }

    /// Returns the time until the timer of a socket expires; `None` if none runs.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub fn timer(&self, side: Role) -> io::Result<Option<Duration>> {
        let SocketPair { client, server } = self.pair;
        match side {
            Role::Client => self.router.kernel().timer(client, server),
            Role::Server => self.router.kernel().timer(server, client),
        }
    }

    /// Returns whether packets or reactions came late, because this process was not running. Then the order of events may
    /// be another than usual.
    pub fn is_late(&self) -> bool {
        self.router.with(self.number, |connection| connection.lateness()).is_some_and(|lateness| lateness > STALL)
    }

    /// Waits until both sockets are closed or in TIME-WAIT, for at most `limit`.
    pub async fn settle(&self, limit: Duration) {
        self.router.settle(self.number, limit).await;
    }

    /// Returns all packets and changes of state, and loses every packet from now on.
    pub fn into_events(self) -> Vec<TimedEvent> {
        self.router.remove(self.number)
    }
}

impl Drop for PairNetwork {
    fn drop(&mut self) {
        self.router.remove(self.number);
    }
}

impl std::fmt::Debug for PairNetwork {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PairNetwork").field("pair", &self.pair).finish_non_exhaustive()
    }
}
