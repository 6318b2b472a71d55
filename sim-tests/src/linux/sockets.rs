//! The TCP states of a connection's two sockets, as the kernel shows them: also without a process, and in TIME-WAIT.

use crate::tcp::TcpState;
use std::io;
use std::net::SocketAddrV4;
use std::time::Duration;
use tcp_states::{Kernel, TcpSocket};

/// Two sockets of one connection, by their addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SocketPair {
    /// The client's address.
    pub client: SocketAddrV4,
    /// The server's address.
    pub server: SocketAddrV4,
}

/// Asks the kernel for the states of sockets of this network namespace.
#[derive(Debug)]
pub struct SocketStates(Kernel);

impl SocketStates {
    /// Opens the connection to the kernel. It needs no privilege.
    ///
    /// # Errors
    /// The kernel has no `sock_diag` for TCP.
    pub fn open() -> io::Result<Self> {
        Kernel::open().map(Self)
    }

    /// Returns the states of a connection's sockets now, the client's first. A socket that does not exist is
    /// [`TcpState::Closed`], or [`TcpState::Listen`] if one listens at its address.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub fn of(&self, pair: SocketPair) -> io::Result<[TcpState; 2]> {
        Ok([self.state(pair.client, pair.server)?, self.state(pair.server, pair.client)?])
    }

    /// Returns the time until the timer of the socket with these addresses expires, and removes the socket or sends
    /// something again; `None` if there is no such socket or timer.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub fn timer(&self, local: SocketAddrV4, remote: SocketAddrV4) -> io::Result<Option<Duration>> {
        let timer = self.socket(local, remote)?.and_then(|socket| socket.timer);
        Ok(timer.map(|timer| timer.expires))
    }

    fn state(&self, local: SocketAddrV4, remote: SocketAddrV4) -> io::Result<TcpState> {
        Ok(self.socket(local, remote)?.map_or(TcpState::Closed, |socket| socket.state))
    }

    fn socket(&self, local: SocketAddrV4, remote: SocketAddrV4) -> io::Result<Option<TcpSocket>> {
        self.0.socket(local.into(), remote.into())
    }
}
