//! The calls of a program on its stream, with the results of Linux. Each call that completes is an I/O event, except
//! those that change nothing.

use super::connection::{End, Packet};
use super::errors::system_error;
use super::kernel::Kernel;
use super::run::TrialEvent;
use super::socket::{Call, Holder};
use std::io::{self, ErrorKind};
use std::task::{Context, Poll};
use tokio::io::ReadBuf;

impl Kernel {
    pub(super) fn poll_read(
        &mut self,
        end: End,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_stopped(end.side) {
            return Poll::Pending;
        }
        let most = buffer.remaining().min(self.scenario.network.most_read());
        let socket = &mut self.connections[end.connection].sockets[end.side as usize];
        if most == 0 {
            return Poll::Ready(Ok(()));
        }
        let has_input = !socket.kernel.inbox().is_empty() || socket.kernel.has_fin() || socket.kernel.is_reset();
        if !has_input {
            socket.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        if self.hesitates(end, Call::Read, cx) {
            return Poll::Pending;
        }
        let socket = &mut self.connections[end.connection].sockets[end.side as usize];
        if !socket.kernel.inbox().is_empty() {
            let count = most.min(socket.kernel.inbox().len());
            let bytes = socket.kernel.read(count);
            buffer.put_slice(&bytes);
            let peer = self.socket_mut(end.peer());
            peer.outstanding -= count;
            let writer = peer.writer.take();
            self.wakers.extend(writer);
            self.transferred(end, TrialEvent::Read(count), &bytes);
            return Poll::Ready(Ok(()));
        }
        if socket.kernel.has_fin() {
            self.event_at(end, TrialEvent::ReadEnd);
            return Poll::Ready(Ok(()));
        }
        if let Some(error) = socket.kernel.take_error() {
            self.event_at(end, TrialEvent::ReadFailed(error));
            return Poll::Ready(Err(system_error(error)));
        }
        // It was reset, and the error was taken.
        self.event_at(end, TrialEvent::ReadEnd);
        Poll::Ready(Ok(()))
    }

    pub(super) fn poll_write(&mut self, end: End, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_stopped(end.side) {
            return Poll::Pending;
        }
        let network = self.scenario.network;
        let room = network.room(self.limits.buffer).saturating_sub(self.socket(end).outstanding);
        let socket = &mut self.connections[end.connection].sockets[end.side as usize];
        let error = socket.kernel.take_error();
        let error = error.or_else(|| (!socket.kernel.can_write()).then_some(ErrorKind::BrokenPipe));
        if let Some(error) = error {
            self.event_at(end, TrialEvent::WriteFailed(error));
            return Poll::Ready(Err(system_error(error)));
        }
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if room == 0 {
            socket.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        if self.hesitates(end, Call::Write, cx) {
            return Poll::Pending;
        }
        let count = bytes.len().min(room).min(network.most_written());
        let socket = self.socket_mut(end);
        socket.outstanding += count;
        socket.is_flushed = false;
        for (delay, part) in network.arrivals(&bytes[..count]) {
            self.send_later(end, delay, Packet::Data(part));
        }
        self.transferred(end, TrialEvent::Wrote(count), &bytes[..count]);
        Poll::Ready(Ok(count))
    }

    /// There is nothing to flush.
    pub(super) fn poll_flush(&mut self, end: End, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_stopped(end.side) || !self.socket(end).is_flushed && self.hesitates(end, Call::Flush, cx) {
            return Poll::Pending;
        }
        if std::mem::take(&mut self.socket_mut(end).fails[0]) {
            self.event_at(end, TrialEvent::FlushFailed);
            return Poll::Ready(Err(injected()));
        }
        self.socket_mut(end).is_flushed = true;
        Poll::Ready(Ok(()))
    }

    pub(super) fn poll_shutdown(&mut self, end: End, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_stopped(end.side) {
            return Poll::Pending;
        }
        if std::mem::take(&mut self.socket_mut(end).fails[1]) {
            self.event_at(end, TrialEvent::ShutdownFailed);
            return Poll::Ready(Err(injected()));
        }
        // Like tokio, ignores that the socket is no longer connected.
        if self.socket(end).kernel.can_write() {
            if self.hesitates(end, Call::ShutDown, cx) {
                return Poll::Pending;
            }
            self.shut_down(end);
            self.event_at(end, TrialEvent::ShutDown);
        }
        Poll::Ready(Ok(()))
    }

    /// Whether this call, which can be ready, is to be pending, because the network has every second call so. A call that
    /// has nothing to do never is: tasks that make it in each poll would wake themselves for ever.
    fn hesitates(&mut self, end: End, call: Call, cx: &Context<'_>) -> bool {
        if !self.scenario.network.is_pending() {
            return false;
        }
        let hesitated = &mut self.socket_mut(end).hesitated[call as usize];
        *hesitated = !*hesitated;
        let hesitates = *hesitated;
        if hesitates {
            self.wakers.push(cx.waker().clone());
        }
        hesitates
    }

    /// Shuts the sending direction down, if its program holds it.
    pub(super) fn shut_down_at_once(&mut self, end: End) {
        let holds = self.socket(end).holder == Holder::Program && !self.is_stopped(end.side);
        if holds && self.socket(end).kernel.can_write() {
            self.shut_down(end);
            self.event_at(end, TrialEvent::ShutDown);
        }
    }

    pub(super) fn drop_stream(&mut self, end: End) {
        if self.socket(end).holder == Holder::Program && !self.is_stopped(end.side) {
            self.socket_mut(end).holder = Holder::Nobody;
            self.close_socket(end);
            self.event_at(end, TrialEvent::Dropped);
        }
    }

    /// Aborts the stream for its program: `close()` with linger time zero.
    pub(super) fn abort_stream(&mut self, end: End) {
        if self.socket(end).holder == Holder::Program && !self.is_stopped(end.side) {
            self.socket_mut(end).holder = Holder::Nobody;
            self.abort(end);
            self.event_at(end, TrialEvent::Dropped);
        }
    }
}

/// The error of a call that fails because of a fault.
fn injected() -> io::Error {
    io::Error::other("injected by the trial")
}
