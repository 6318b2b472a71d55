//! The sockets of a port, as the kernel reports them.

use procfs::net::TcpState;
use std::net::SocketAddr;

/// TCP sockets with their state: local address, peer, state.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sockets(Vec<(SocketAddr, SocketAddr, TcpState)>);

impl Sockets {
    /// All TCP sockets except listeners.
    pub(crate) fn now() -> Self {
        let all = procfs::net::tcp().expect("/proc/net/tcp can be read");
        let sockets = all.into_iter().map(|socket| (socket.local_address, socket.remote_address, socket.state));
        Self(sockets.filter(|(.., state)| *state != TcpState::Listen).collect())
    }

    /// Only those with `port` at either end.
    pub(crate) fn of(mut self, port: u16) -> Self {
        self.0.retain(|(near, far, _)| near.port() == port || far.port() == port);
        self
    }

    /// Only those that are not in `before`.
    pub(crate) fn without(mut self, before: &Self) -> Self {
        self.0.retain(|(near, far, _)| !before.0.iter().any(|(n, f, _)| (n, f) == (near, far)));
        self
    }

    /// Number of half-closed sockets, at either end: FIN_WAIT2 or CLOSE_WAIT.
    pub(crate) fn half_closed(&self) -> usize {
        let half = |state: &TcpState| matches!(state, TcpState::FinWait2 | TcpState::CloseWait);
        self.0.iter().filter(|(.., state)| half(state)).count()
    }

    /// The peers' ports of the sockets in TIME_WAIT with the local port `port`.
    pub(crate) fn time_wait_at(&self, port: u16) -> Vec<u16> {
        let waits = |near: &SocketAddr, state: &TcpState| near.port() == port && *state == TcpState::TimeWait;
        let mut peers: Vec<_> =
            self.0.iter().filter(|(near, _, state)| waits(near, state)).map(|(_, far, _)| far.port()).collect();
        peers.sort_unstable();
        peers
    }

    /// Number of sockets in TIME_WAIT, at either end.
    pub(crate) fn time_waits(&self) -> usize {
        self.in_state(TcpState::TimeWait)
    }

    /// Number of sockets that neither end has begun to close.
    pub(crate) fn established(&self) -> usize {
        self.in_state(TcpState::Established)
    }

    fn in_state(&self, wanted: TcpState) -> usize {
        self.0.iter().filter(|(.., state)| *state == wanted).count()
    }
}
