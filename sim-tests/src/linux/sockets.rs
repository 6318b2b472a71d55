//! The TCP states of sockets, as the kernel shows them: also those without a process, and in TIME-WAIT.

use crate::tcp::TcpState;
use procfs::ProcError;
use procfs::net::TcpState as Kernel;
use procfs::process::Process;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;

/// Two sockets of one connection, by their addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SocketPair {
    /// The client's address.
    pub client: SocketAddr,
    /// The server's address.
    pub server: SocketAddr,
}

/// All TCP sockets of this network namespace over IPv4, at one moment.
#[derive(Clone, Debug, Default)]
pub struct SocketTable(BTreeMap<(SocketAddr, SocketAddr), TcpState>);

impl SocketTable {
    /// Reads the table.
    ///
    /// # Errors
    /// `/proc/self/net/tcp` cannot be read.
    pub fn now() -> io::Result<Self> {
        let entries = Process::myself().and_then(|own| own.tcp()).map_err(|error| match error {
            ProcError::Io(error, _) => error,
            other => io::Error::other(other),
        })?;
        let row = |entry: procfs::net::TcpNetEntry| ((entry.local_address, entry.remote_address), state(&entry.state));
        Ok(Self(entries.into_iter().map(row).collect()))
    }

    /// Returns the states of a connection's sockets, the client's first. A socket that the kernel does not show is
    /// [`TcpState::Closed`].
    pub fn states(&self, pair: SocketPair) -> [TcpState; 2] {
        let of = |local, remote| self.0.get(&(local, remote)).copied().unwrap_or(TcpState::Closed);
        [of(pair.client, pair.server), of(pair.server, pair.client)]
    }
}

fn state(state: &Kernel) -> TcpState {
    match state {
        Kernel::Established => TcpState::Established,
        Kernel::SynSent => TcpState::SynSent,
        Kernel::SynRecv | Kernel::NewSynRecv => TcpState::SynReceived,
        Kernel::FinWait1 => TcpState::FinWait1,
        Kernel::FinWait2 => TcpState::FinWait2,
        Kernel::TimeWait => TcpState::TimeWait,
        Kernel::Close => TcpState::Closed,
        Kernel::CloseWait => TcpState::CloseWait,
        Kernel::LastAck => TcpState::LastAck,
        Kernel::Listen => TcpState::Listen,
        Kernel::Closing => TcpState::Closing,
    }
}
