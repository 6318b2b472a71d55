//! Listening by TCP at all addresses of a name, with a long accept queue.

use crate::transport::{Listener, canonical, prepare};
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};
use tokio::net::{TcpListener, TcpSocket, TcpStream, ToSocketAddrs, lookup_host};

/// Length of the accept queue: the system's maximum (on Linux `net.core.somaxconn`, 4096 by default).
///
/// The 128 of [`TcpListener::bind`] overflow with a few hundred clients at once. Then Linux drops a client's packets,
/// which are sent again after 1 s and 3 s, or answers with SYN cookies, which can lose the client's first bytes.
const BACKLOG: u32 = i32::MAX as u32;

/// Listens at the first of the resolved addresses that can be bound. The address can be used again right after the
/// server ends (`SO_REUSEADDR`), as with [`TcpListener::bind`].
///
/// # Errors
/// The name does not resolve, or no address can be bound: the error of the last one.
pub async fn listen_tcp(address: impl ToSocketAddrs) -> io::Result<TcpListener> {
    let mut last = no_address();
    for address in lookup_host(address).await? {
        match listen_at(address, Port::Own) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Several TCP listeners that work as one.
#[derive(Debug)]
pub struct TcpListeners {
    listeners: Vec<TcpListener>,
    /// Index of the listener that is polled first next time, so that none starves.
    first: usize,
    /// Whether connections get their options from the listener. On Linux they inherit them, if the listener had them
    /// before the first connection could arrive.
    inherit: bool,
}

impl TcpListeners {
    /// Listens at all addresses of a name: `localhost` is `127.0.0.1` and `::1`. With port 0 all addresses use the port
    /// that the system chose for the first. An address whose family the system lacks is skipped, if another one works.
    ///
    /// # Errors
    /// The name does not resolve, or an address cannot be bound, for example because it is in use.
    pub async fn bind(address: impl ToSocketAddrs) -> io::Result<Self> {
        Self::bind_as(address, Port::Own).await
    }

    /// Listens as [`bind`](Self::bind) does, also where others of the same user listen that were made by this function
    /// (`SO_REUSEPORT`). The kernel divides new connections among them.
    ///
    /// So one server can take over from another without a gap: the new one listens, and then the old one is told to drain.
    /// A connection that the old one can no longer accept is reset before its client has sent a request.
    ///
    /// # Errors
    /// Those of [`bind`](Self::bind).
    #[cfg(unix)]
    pub async fn bind_shared(address: impl ToSocketAddrs) -> io::Result<Self> {
        Self::bind_as(address, Port::Shared).await
    }

    /// Takes listeners that exist already, for example those of systemd's socket activation. They become non-blocking,
    /// also for other processes that share them. The length of their accept queues stays as it is.
    ///
    /// While another process keeps such a listener open, the kernel still accepts connections for it after this one is
    /// dropped, and they wait for the next server.
    ///
    /// # Errors
    /// There is no listener, or the system's error.
    ///
    /// # Panics
    /// It is called outside a tokio runtime.
    pub fn from_std(listeners: impl IntoIterator<Item = std::net::TcpListener>) -> io::Result<Self> {
        let adopt = |listener: std::net::TcpListener| {
            listener.set_nonblocking(true)?;
            TcpListener::from_std(listener)
        };
        let listeners = listeners.into_iter().map(adopt).collect::<io::Result<Vec<_>>>()?;
        if listeners.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "expected at least one listener"));
        }
        // Connections may wait in their accept queues already.
        Ok(Self { listeners, first: 0, inherit: false })
    }

    async fn bind_as(address: impl ToSocketAddrs, mode: Port) -> io::Result<Self> {
        let (mut listeners, mut port, mut left_out) = (Vec::<TcpListener>::new(), None, no_address());
        let mut seen = Vec::new();
        for mut address in lookup_host(address).await? {
            if seen.contains(&address) {
                continue;
            }
            seen.push(address);
            if let (0, Some(port)) = (address.port(), port) {
                address.set_port(port);
            }
            match listen_at(address, mode) {
                Ok(listener) => {
                    port = port.or(Some(listener.local_addr()?.port()));
                    listeners.push(listener);
                }
                Err(error) if is_absent(&error) => left_out = error,
                Err(error) => return Err(io::Error::new(error.kind(), format!("{address}: {error}"))),
            }
        }
        if listeners.is_empty() {
            return Err(left_out);
        }
        Ok(Self { listeners, first: 0, inherit: cfg!(target_os = "linux") })
    }

    /// Returns the local addresses.
    ///
    /// # Errors
    /// The system's error.
    pub fn local_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        self.listeners.iter().map(TcpListener::local_addr).collect()
    }

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        for turn in 0..self.listeners.len() {
            let at = (self.first + turn) % self.listeners.len();
            if let Poll::Ready(accepted) = self.listeners[at].poll_accept(cx) {
                self.first = at + 1;
                return Poll::Ready(accepted);
            }
        }
        Poll::Pending
    }
}

impl Listener for TcpListeners {
    type Stream = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, peer) = poll_fn(|cx| self.poll_accept(cx)).await?;
        if !self.inherit {
            prepare(&stream)?;
        }
        Ok((stream, canonical(peer)))
    }

    /// Returns the first of [`local_addrs`](Self::local_addrs).
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listeners.first().ok_or_else(no_address)?.local_addr()
    }
}

fn no_address() -> io::Error {
    io::Error::new(io::ErrorKind::AddrNotAvailable, "the name resolves to no address")
}

/// Returns whether the system has no such address or no such family.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported)
        || error.raw_os_error() == Some(NO_FAMILY)
}

/// `EAFNOSUPPORT`: std has no error kind for it.
#[cfg(unix)]
const NO_FAMILY: i32 = libc::EAFNOSUPPORT;
/// `WSAEAFNOSUPPORT`
#[cfg(not(unix))]
const NO_FAMILY: i32 = 10047;

/// Whether others may listen at the same address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Port {
    Own,
    #[cfg(unix)]
    Shared,
}

fn listen_at(address: SocketAddr, mode: Port) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // On Windows this option has another meaning.
    #[cfg(unix)]
    {
        socket.set_reuseaddr(true)?;
        socket.set_reuseport(mode == Port::Shared)?;
    }
    #[cfg(not(unix))]
    let Port::Own = mode;
    socket.bind(address)?;
    // Connections inherit the options.
    #[cfg(target_os = "linux")]
    prepare(&socket)?;
    socket.listen(BACKLOG)
}
