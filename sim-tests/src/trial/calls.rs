//! The calls of a program on its stream, with the results of Linux. Each call that completes is an I/O event, except
//! those that change nothing.

use super::kernel::{Kernel, Packet};
use super::run::TrialEvent;
use super::socket::{Call, Holder};
use echo_core::Role;
use std::io::{self, ErrorKind};
use std::task::{Context, Poll};
use tokio::io::ReadBuf;

impl Kernel {
    pub(super) fn poll_read(
        &mut self,
        side: Role,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_stopped(side) {
            return Poll::Pending;
        }
        let most = buffer.remaining().min(self.scenario.network.most_read());
        let socket = &mut self.sockets[side as usize];
        if most == 0 {
            return Poll::Ready(Ok(()));
        }
        let has_input = !socket.kernel.inbox().is_empty() || socket.kernel.has_fin() || socket.kernel.is_reset();
        if !has_input {
            socket.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        if self.hesitates(side, Call::Read, cx) {
            return Poll::Pending;
        }
        let socket = &mut self.sockets[side as usize];
        if !socket.kernel.inbox().is_empty() {
            let count = most.min(socket.kernel.inbox().len());
            buffer.put_slice(&socket.kernel.read(count));
            let peer = self.socket_mut(side.peer());
            peer.outstanding -= count;
            let writer = peer.writer.take();
            self.wakers.extend(writer);
            self.event(side, TrialEvent::Read(count));
            return Poll::Ready(Ok(()));
        }
        if socket.kernel.has_fin() {
            self.event(side, TrialEvent::ReadEnd);
            return Poll::Ready(Ok(()));
        }
        if let Some(error) = socket.kernel.take_error() {
            self.event(side, TrialEvent::ReadFailed(error));
            return Poll::Ready(Err(error.into()));
        }
        // It was reset, and the error was taken.
        self.event(side, TrialEvent::ReadEnd);
        Poll::Ready(Ok(()))
    }

    pub(super) fn poll_write(&mut self, side: Role, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_stopped(side) {
            return Poll::Pending;
        }
        let network = self.scenario.network;
        let room = network.room(self.limits.buffer).saturating_sub(self.socket(side).outstanding);
        let socket = &mut self.sockets[side as usize];
        let error = socket.kernel.take_error();
        let error = error.or_else(|| (!socket.kernel.can_write()).then_some(ErrorKind::BrokenPipe));
        if let Some(error) = error {
            self.event(side, TrialEvent::WriteFailed(error));
            return Poll::Ready(Err(error.into()));
        }
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if room == 0 {
            socket.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        if self.hesitates(side, Call::Write, cx) {
            return Poll::Pending;
        }
        let count = bytes.len().min(room).min(network.most_written());
        let socket = self.socket_mut(side);
        socket.outstanding += count;
        socket.is_flushed = false;
        for (delay, part) in network.arrivals(&bytes[..count]) {
            self.send_later(side, delay, Packet::Data(part));
        }
        self.event(side, TrialEvent::Wrote(count));
        Poll::Ready(Ok(count))
    }

    /// There is nothing to flush.
    pub(super) fn poll_flush(&mut self, side: Role, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_stopped(side) || !self.socket(side).is_flushed && self.hesitates(side, Call::Flush, cx) {
            return Poll::Pending;
        }
        self.socket_mut(side).is_flushed = true;
        Poll::Ready(Ok(()))
    }

    pub(super) fn poll_shutdown(&mut self, side: Role, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_stopped(side) {
            return Poll::Pending;
        }
        // Like tokio, ignores that the socket is no longer connected.
        if self.socket(side).kernel.can_write() {
            if self.hesitates(side, Call::ShutDown, cx) {
                return Poll::Pending;
            }
            self.shut_down(side);
            self.event(side, TrialEvent::ShutDown);
        }
        Poll::Ready(Ok(()))
    }

    /// Whether this call, which can be ready, is to be pending, because the network has every second call so. A call that
    /// has nothing to do never is: tasks that make it in each poll would wake themselves for ever.
    fn hesitates(&mut self, side: Role, call: Call, cx: &Context<'_>) -> bool {
        if !self.scenario.network.is_pending() {
            return false;
        }
        let hesitated = &mut self.socket_mut(side).hesitated[call as usize];
        *hesitated = !*hesitated;
        let hesitates = *hesitated;
        if hesitates {
            self.wakers.push(cx.waker().clone());
        }
        hesitates
    }

    pub(super) fn drop_stream(&mut self, side: Role) {
        if self.socket(side).holder == Holder::Program {
            self.socket_mut(side).holder = Holder::Dropped;
            self.close_socket(side);
            self.event(side, TrialEvent::Dropped);
        }
    }

    /// Aborts the stream for its program: `close()` with linger time zero.
    pub(super) fn abort_stream(&mut self, side: Role) {
        if self.socket(side).holder == Holder::Program {
            self.socket_mut(side).holder = Holder::Dropped;
            self.abort(side);
            self.event(side, TrialEvent::Dropped);
        }
    }
}
