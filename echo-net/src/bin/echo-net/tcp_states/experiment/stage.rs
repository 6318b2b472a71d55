//! Carries the steps of an experiment out, waits for what the kernel must show then, and hands it on.

use super::moment::{End, Moment, Rows};
use super::pair::Pair;
use super::plan::Side;
use crate::tcp_states::experiment::path;
use std::io;
use std::time::{Duration, Instant};
use tcp_states::{Kernel, Owners, TcpState};

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
        let mut by_side = [TcpState::Closed; 2];
        for (side, state) in expected {
            by_side[side as usize] = state;
        }
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

    fn wait(&self, expected: [TcpState; 2]) -> Result<[Option<tcp_states::TcpSocket>; 2], String> {
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

    fn sockets(&self) -> io::Result<[Option<tcp_states::TcpSocket>; 2]> {
        let [client, server] = Side::BOTH.map(|side| self.pair.address(side));
        Ok([self.kernel.socket(client, server)?, self.kernel.socket(server, client)?])
    }
}
