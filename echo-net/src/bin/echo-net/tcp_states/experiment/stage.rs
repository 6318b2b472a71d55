//! Carries the steps of an experiment out, waits for what the kernel must show then, and hands it on.

use super::moment::{End, Moment, Rows};
use super::pair::Pair;
use super::plan::Side;
use crate::tcp_states::experiment::path;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tcp_states::{Kernel, Owners, TcpSocket, TcpState};

/// The longest wait for the kernel's states after a step.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the kernel shows, by the side that ended first, and its peer.
pub(crate) struct Stage<'a> {
    pub(crate) pair: Pair,
    kernel: Kernel,
    start: Instant,
    states: [TcpState; 2],
    is_reset: bool,
    show: &'a mut dyn FnMut(Moment) -> io::Result<()>,
}

impl<'a> Stage<'a> {
    /// Connects the two ends. `show` gets each moment.
    ///
    /// # Errors
    /// One line about what is missing on this machine.
    pub(crate) fn open(ipv6: bool, show: &'a mut dyn FnMut(Moment) -> io::Result<()>) -> Result<Self, String> {
        let kernel = Kernel::open().map_err(|error| crate::tcp_states::no_sock_diag(&error))?;
        let start = Instant::now();
        let pair = Pair::connect(ipv6).map_err(|error| match ipv6 {
            true => format!("cannot connect to ::1: {error}; without --ipv6 the experiment uses 127.0.0.1"),
            false => format!("cannot connect to 127.0.0.1: {error}"),
        })?;
        Ok(Self { pair, kernel, start, states: [TcpState::Established; 2], is_reset: false, show })
    }

    /// From now on a socket may go at once, because RST was sent.
    pub(crate) fn reset(&mut self) {
        self.is_reset = true;
    }

    /// Waits until the kernel shows the two sides in these states, and shows this moment. `explain` says what it means.
    ///
    /// # Errors
    /// The kernel shows other states; the output fails.
    pub(crate) fn moment(
        &mut self,
        action: impl Into<String>,
        expected: [(Side, TcpState); 2],
        explain: impl FnOnce(&Rows) -> String,
    ) -> Result<(), String> {
        let by_side = by_side(expected);
        let sockets = self.wait(by_side)?;
        let held: Vec<u64> = sockets.iter().flatten().map(|socket| socket.inode.into()).collect();
        let owners =
            Owners::read(|inode| held.contains(&inode)).map_err(|error| format!("cannot read /proc: {error}"))?;
        let rows = Rows(Side::BOTH.map(|side| {
            let address = self.pair.address(side);
            End::new(address, sockets[side as usize].as_ref(), &owners)
        }));
        let passed =
            Side::BOTH.map(|side| path::passed(self.states[side as usize], by_side[side as usize], self.is_reset));
        self.states = by_side;
        let explanation = explain(&rows);
        let moment = Moment::new(self.start.elapsed(), action.into(), rows, passed, explanation);
        (self.show)(moment).map_err(|error| format!("cannot write: {error}"))
    }

    /// Waits until the kernel shows the two sides in these states, and shows no moment.
    ///
    /// # Errors
    /// The kernel shows other states.
    pub(crate) fn wait_for(&self, expected: [(Side, TcpState); 2]) -> Result<(), String> {
        self.wait(by_side(expected)).map(drop)
    }

    fn wait(&self, expected: [TcpState; 2]) -> Result<[Option<TcpSocket>; 2], String> {
        let end = Instant::now() + PATIENCE;
        loop {
            let found = self.sockets().map_err(|error| crate::tcp_states::no_sock_diag(&error))?;
            let states = found.each_ref().map(|socket| socket.as_ref().map_or(TcpState::Closed, |socket| socket.state));
            if states == expected {
                return Ok(found);
            }
            if Instant::now() > end {
                let [client, server] = expected;
                return Err(format!(
                    "the kernel shows the client in {} and the server in {}: expected {client} and {server} within 5 s",
                    states[0], states[1]
                ));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn sockets(&self) -> io::Result<[Option<TcpSocket>; 2]> {
        let [client, server] = Side::BOTH.map(|side| self.pair.address(side));
        Ok([socket(&self.kernel, client, server)?, socket(&self.kernel, server, client)?])
    }
}

/// Returns the client's state and the server's.
fn by_side(expected: [(Side, TcpState); 2]) -> [TcpState; 2] {
    let mut by_side = [TcpState::Closed; 2];
    for (side, state) in expected {
        by_side[side as usize] = state;
    }
    by_side
}

/// Returns the socket with these addresses. Another program may listen at its port afterwards.
///
/// # Errors
/// The kernel does not answer.
pub(crate) fn socket(kernel: &Kernel, local: SocketAddr, remote: SocketAddr) -> io::Result<Option<TcpSocket>> {
    Ok(kernel.socket(local, remote)?.filter(|socket| socket.remote == remote))
}
