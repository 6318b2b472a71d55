//! A socket that behaves as on Linux, over a socket of the stack.
//!
//! The stack (smoltcp 0.14) ends a connection differently from Linux. These differences are removed here:
//!
//! - A socket that is closed with unread input sends RST, as on Linux (RFC 1122 section 4.2.2.13; RFC 9293 section
//!   3.10.4 also allows FIN). The stack would send FIN.
//! - Data for a closed socket is answered with RST (RFC 1122 section 4.2.2.13). The stack would accept it.
//! - Received data and the end can be read at any later time. The stack deletes both when TIME-WAIT ends.
//! - A closed socket waits for a limited time: 60 s in FIN-WAIT-2 (`tcp_fin_timeout`), 106 s for the acknowledgment of
//!   its FIN (`tcp_orphan_retries`). A socket that the program still holds waits for 924 s (`tcp_retries2`), a SYN for
//!   127 s (`tcp_syn_retries`). The stack has none of these limits.
//! - Errors differ by cause: refused, reset, timed out. An error is reported once, to the first call that asks.
//! - A SYN that arrives in TIME-WAIT opens a new connection if its number is higher (RFC 9293 section 3.6.1). The stack
//!   would drop it. This is done in `simulation.rs`.
//!
//! These differences remain: TIME-WAIT lasts 10 s (60 s on Linux), the first retransmission comes after 1 s (200 ms),
//! and a stack that gives up on unacknowledged data sends RST (Linux sends nothing).

use super::simulation::Simulation;
use crate::support::Millis;
use crate::tcp::{Cause, SocketId, TcpState};
use echo_core::Role;
use smoltcp::iface::SocketHandle;
use smoltcp::time::Duration;
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::task::{Context, Poll, Waker};

/// How long data waits for its acknowledgment (`tcp_retries2`), in seconds.
const RETRIES: u64 = 924;

/// One socket.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) side: Role,
    /// The stack's socket, until the kernel has removed it.
    handle: Option<SocketHandle>,
    pub(super) number: SocketId,
    /// Received data that was taken out of the stack.
    kept: VecDeque<u8>,
    /// Unread bytes that each packet has brought. A read returns at most one of these pieces, as with a program that is
    /// as fast as its network.
    pieces: VecDeque<usize>,
    /// Whether the peer's FIN was received. It comes after all kept data.
    fin: bool,
    /// Why the connection ended, until it is reported.
    error: Option<ErrorKind>,
    /// Whether the program has closed it.
    pub(super) orphan: bool,
    /// The state with a limited wait, and when the wait ends.
    waits: Option<(TcpState, Millis)>,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Socket {
    pub(super) fn new(side: Role, (handle, number): (SocketHandle, SocketId)) -> Self {
        let (kept, pieces, handle) = (VecDeque::new(), VecDeque::new(), Some(handle));
        let (fin, error, orphan, waits) = (false, None, false, None);
        Self { side, handle, number, kept, pieces, fin, error, orphan, waits, reader: None, writer: None }
    }

    pub(super) fn state(&self, world: &Simulation) -> TcpState {
        self.handle.map_or(TcpState::Closed, |handle| world.state(self.side, handle))
    }

    /// Returns whether the kernel has nothing left to do for it.
    pub(super) fn is_over(&self, world: &mut Simulation) -> bool {
        self.handle.is_none_or(|handle| {
            // An aborted socket is CLOSED before its RST is sent.
            let sent = world.socket(self.side, handle).remote_endpoint().is_none();
            sent && world.state(self.side, handle) == TcpState::Closed
        })
    }

    /// Sets the error that follows from the stack's socket becoming CLOSED.
    pub(super) fn closed(&mut self, from: TcpState, cause: Cause) {
        self.error = match (from, cause) {
            (TcpState::LastAck | TcpState::TimeWait, _) | (_, Cause::Program) => None,
            (TcpState::SynSent, Cause::Arrival(_)) => Some(ErrorKind::ConnectionRefused),
            (TcpState::CloseWait, Cause::Arrival(_)) => Some(ErrorKind::BrokenPipe),
            (_, Cause::Arrival(_)) => Some(ErrorKind::ConnectionReset),
            (_, Cause::Timer) => Some(ErrorKind::TimedOut),
        };
    }

    /// Does what Linux would do now and the stack does not. Returns whether the stack then has something to do.
    pub(super) fn settle(&mut self, world: &mut Simulation) -> bool {
        // A new conversation on the same ports may have replaced one in TIME-WAIT.
        self.handle = self.handle.filter(|handle| world.knows(self.side, *handle));
        let Some(handle) = self.handle else { return false };
        let state = world.state(self.side, handle);
        let known = self.pieces.iter().sum::<usize>();
        let here = self.kept.len() + world.socket(self.side, handle).recv_queue();
        if here > known {
            self.pieces.push_back(here - known);
        }
        if state == TcpState::TimeWait {
            self.keep(world);
            self.fin = true;
        }
        let socket = world.socket(self.side, handle);
        let has_more = matches!(state, TcpState::FinWait1 | TcpState::FinWait2) && socket.recv_queue() > 0;
        if self.orphan && has_more {
            self.abort(world);
            return true;
        }
        let unacknowledged = !self.orphan && socket.send_queue() > 0 && state != TcpState::Closed;
        socket.set_timeout(unacknowledged.then(|| Duration::from_secs(RETRIES)));
        self.wait(world, handle, state);
        false
    }

    /// Removes the stack's socket when its wait has ended.
    fn wait(&mut self, world: &mut Simulation, handle: SocketHandle, state: TcpState) {
        let seconds = match (state, self.orphan) {
            (TcpState::SynSent, _) => Some(127),
            (TcpState::FinWait1 | TcpState::Closing | TcpState::LastAck, true) => Some(106),
            (TcpState::FinWait1 | TcpState::Closing | TcpState::LastAck, false) => Some(RETRIES),
            (TcpState::FinWait2, true) => Some(60),
            (TcpState::FinWait2, false) | (TcpState::Closed | TcpState::Listen | TcpState::SynReceived, _) => None,
            (TcpState::Established | TcpState::CloseWait | TcpState::TimeWait, _) => None,
        };
        if self.waits.map(|(state, _)| state) != Some(state) {
            self.waits = seconds.map(|seconds| (state, world.now + seconds * 1000 / world.build.pace));
        }
        if self.waits.is_some_and(|(_, until)| until <= world.now) {
            self.keep(world);
            self.waits = None;
            self.handle = None;
            self.closed(state, Cause::Timer);
            // In FIN-WAIT-2 everything is acknowledged, so a timeout is no error.
            self.error = self.error.filter(|_| state != TcpState::FinWait2);
            world.forget(self.side, handle, Cause::Timer);
        }
    }

    /// Returns when its wait ends.
    pub(super) fn due(&self) -> Option<Millis> {
        self.waits.map(|(_, until)| until)
    }

    /// Takes all received data out of the stack.
    fn keep(&mut self, world: &mut Simulation) {
        let Some(handle) = self.handle else { return };
        let socket = world.socket(self.side, handle);
        let mut bytes = vec![0; socket.recv_queue()];
        if let Ok(count) = socket.recv_slice(&mut bytes) {
            self.kept.extend(&bytes[..count]);
        }
    }

    /// Wakes the reader and the writer if they can proceed.
    pub(super) fn wake(&mut self, world: &mut Simulation) {
        if self.reader.is_some() && self.is_readable(world) {
            self.reader.take().into_iter().for_each(Waker::wake);
        }
        if self.writer.is_some() && self.is_writable(world) {
            self.writer.take().into_iter().for_each(Waker::wake);
        }
    }

    fn is_readable(&self, world: &mut Simulation) -> bool {
        let Some(handle) = self.handle else { return true };
        let socket = world.socket(self.side, handle);
        !self.kept.is_empty() || self.fin || socket.can_recv() || !socket.may_recv()
    }

    fn is_writable(&self, world: &mut Simulation) -> bool {
        let Some(handle) = self.handle else { return true };
        let opening = matches!(world.state(self.side, handle), TcpState::SynSent | TcpState::SynReceived);
        let socket = world.socket(self.side, handle);
        !opening && (!socket.may_send() || socket.can_send())
    }

    /// Waits until the connection is established, refused or timed out.
    pub(super) fn poll_connected(&mut self, world: &Simulation, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.state(world) {
            TcpState::SynSent | TcpState::SynReceived => {
                self.writer = Some(cx.waker().clone());
                Poll::Pending
            }
            TcpState::Closed => Poll::Ready(Err(self.error.take().unwrap_or(ErrorKind::ConnectionRefused).into())),
            _ => Poll::Ready(Ok(())),
        }
    }

    /// Reads at least one byte into `buffer`, or none at the end of the stream.
    pub(super) fn poll_read(
        &mut self,
        world: &mut Simulation,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let piece = self.pieces.front().map_or(buffer.len(), |piece| buffer.len().min(*piece));
        let buffer = &mut buffer[..piece];
        if !self.kept.is_empty() {
            let count = io::Read::read(&mut self.kept, buffer)?;
            self.took(count);
            return Poll::Ready(Ok(count));
        }
        if let Some(handle) = self.handle.filter(|_| !self.fin) {
            match world.socket(self.side, handle).recv_slice(buffer) {
                Ok(0) => {
                    self.reader = Some(cx.waker().clone());
                    return Poll::Pending;
                }
                Ok(count) => {
                    self.took(count);
                    return Poll::Ready(Ok(count));
                }
                Err(smoltcp::socket::tcp::RecvError::Finished) => self.fin = true,
                Err(smoltcp::socket::tcp::RecvError::InvalidState) => (),
            }
        }
        if self.fin {
            return Poll::Ready(Ok(0));
        }
        Poll::Ready(self.error.take().map_or(Ok(0), |error| Err(error.into())))
    }

    /// Removes `count` bytes from the first piece.
    fn took(&mut self, count: usize) {
        match self.pieces.front_mut() {
            Some(piece) if *piece > count => *piece -= count,
            Some(_) | None => drop(self.pieces.pop_front()),
        }
    }

    /// Takes at least one byte of `bytes`.
    pub(super) fn poll_write(
        &mut self,
        world: &mut Simulation,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let broken = ErrorKind::BrokenPipe;
        let Some(handle) = self.handle else {
            return Poll::Ready(Err(self.error.take().unwrap_or(broken).into()));
        };
        match world.socket(self.side, handle).send_slice(bytes) {
            Ok(0) if !bytes.is_empty() => {
                self.writer = Some(cx.waker().clone());
                Poll::Pending
            }
            Ok(count) => Poll::Ready(Ok(count)),
            Err(smoltcp::socket::tcp::SendError::InvalidState) => {
                Poll::Ready(Err(self.error.take().unwrap_or(broken).into()))
            }
        }
    }

    /// Returns the number of bytes that were written and not yet acknowledged.
    pub(super) fn unacknowledged(&self, world: &mut Simulation) -> Option<usize> {
        Some(world.socket(self.side, self.handle?).send_queue())
    }

    /// Sends FIN after all written data.
    pub(super) fn shut_down(&mut self, world: &mut Simulation) -> io::Result<()> {
        match (self.state(world), self.handle) {
            (TcpState::Closed | TcpState::TimeWait, _) | (_, None) => Err(ErrorKind::NotConnected.into()),
            (_, Some(handle)) => {
                world.socket(self.side, handle).close();
                world.observe(self.side, Cause::Program);
                Ok(())
            }
        }
    }

    /// Sends RST.
    pub(super) fn abort(&mut self, world: &mut Simulation) {
        if let (Some(handle), false) = (self.handle, self.state(world) == TcpState::TimeWait) {
            world.socket(self.side, handle).abort();
            world.observe(self.side, Cause::Program);
        }
    }

    /// Closes the socket for the program: sends RST if input is unread, otherwise FIN.
    pub(super) fn close(&mut self, world: &mut Simulation) {
        self.orphan = true;
        self.waits = None;
        let Some(handle) = self.handle else { return };
        let unread = !self.kept.is_empty() || world.socket(self.side, handle).recv_queue() > 0;
        if unread {
            self.abort(world);
        } else {
            // A socket that is already closed sends nothing.
            let _ = self.shut_down(world);
        }
    }

    /// Removes its socket from the stack.
    pub(super) fn remove(&mut self, world: &mut Simulation, cause: Cause) {
        if let Some(handle) = self.handle.take() {
            world.forget(self.side, handle, cause);
        }
    }

    /// Listens on `port`. Returns whether the stack accepts that.
    pub(super) fn listen(&mut self, world: &mut Simulation, port: u16) -> bool {
        let Some(handle) = self.handle else { return false };
        let listens = world.socket(self.side, handle).listen(port).is_ok();
        world.observe(self.side, Cause::Program);
        listens
    }

    /// Sends SYN. Returns whether the stack accepts that.
    pub(super) fn connect(&mut self, world: &mut Simulation, from: u16, to: u16) -> bool {
        self.handle.is_some_and(|handle| world.connect(self.side, handle, from, to))
    }
}
