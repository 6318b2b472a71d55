//! The network of a program: ports, and connections to the other side.

use super::connection::End;
#[cfg(any(feature = "turmoil", feature = "packet"))]
use super::opening::ip;
use super::stream::{Shared, TrialStream};
use echo_core::Role;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

/// The network of a side in a trial of a network ([`Trial::of_network`](super::Trial::of_network)): it connects to ports of
/// the other side, and listens on ports of its own.
///
/// Clones are the same network. It can be sent to the tasks of its side.
#[derive(Clone, Debug)]
pub struct TrialNet {
    kernel: Shared,
    side: Role,
}

impl TrialNet {
    pub(super) fn new(kernel: Shared, side: Role) -> Self {
        Self { kernel, side }
    }

    /// Connects to `port` of the other side. As on Linux, the connection is established when the other side's kernel has
    /// answered: its program may not have accepted it yet, and never does if it ends first.
    ///
    /// # Errors
    /// `ConnectionRefused` if nobody listens there, `TimedOut` if no answer comes within 127 s.
    pub async fn connect(&self, port: u16) -> io::Result<TrialStream> {
        let end = self.kernel.with(|kernel| kernel.connect(self.side, port));
        let attempt = Attempt { kernel: self.kernel.clone(), end };
        poll_fn(|cx| attempt.kernel.with(|kernel| kernel.poll_connect(end, cx))).await?;
        Ok(TrialStream::new(self.kernel.clone(), end))
    }

    /// Listens on a port.
    ///
    /// # Errors
    /// `AddrInUse` if this side listens there already.
    pub fn listen(&self, port: u16) -> io::Result<TrialListener> {
        self.kernel.with(|kernel| kernel.listen(self.side, port))?;
        Ok(TrialListener { kernel: self.kernel.clone(), side: self.side, port })
    }
}

/// A `connect` under way. Dropping it gives up.
#[derive(Debug)]
struct Attempt {
    kernel: Shared,
    end: End,
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.kernel.with(|kernel| kernel.cancel_connect(self.end));
    }
}

/// A port that listens. With the feature `turmoil` or `packet` it is a listener of echo-net, too. Dropping it closes the port, and resets the connections that nobody has accepted.
#[derive(Debug)]
pub struct TrialListener {
    kernel: Shared,
    side: Role,
    port: u16,
}

impl TrialListener {
    /// Waits for the next connection. Returns it with the address of its other end. Dropping the future loses nothing.
    ///
    /// # Errors
    /// With the fault [`FailAccept`](super::InjectedFault::FailAccept): too many open files. The connection waits on.
    pub async fn accept(&self) -> io::Result<(TrialStream, SocketAddr)> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// Polls for the next connection, as [`TrialListener::accept`] does.
    ///
    /// # Errors
    /// As [`TrialListener::accept`].
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TrialStream, SocketAddr)>> {
        let accepted = self.kernel.with(|kernel| kernel.poll_accept(self.side, self.port, cx));
        accepted.map_ok(|end| {
            let stream = TrialStream::new(self.kernel.clone(), end);
            let peer = stream.peer_addr();
            (stream, peer)
        })
    }
}

#[cfg(any(feature = "turmoil", feature = "packet"))]
impl echo_net::Listener for TrialListener {
    type Stream = TrialStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> io::Result<(TrialStream, SocketAddr)> {
        Self::accept(self).await
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(SocketAddr::new(ip(self.side), self.port))
    }
}

impl Drop for TrialListener {
    fn drop(&mut self) {
        self.kernel.with(|kernel| kernel.stop_listening(self.side, self.port));
    }
}
