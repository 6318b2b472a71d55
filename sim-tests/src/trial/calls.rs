//! The calls of a program on its stream, with the results of Linux. Each call that completes is an I/O event, except
//! those that change nothing.

use super::kernel::{Kernel, Packet};
use super::run::TrialEvent;
use super::socket::Holder;
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
        let most = buffer.remaining().min(self.scenario.network.reads());
        let socket = &mut self.sockets[side as usize];
        if most == 0 {
            return Poll::Ready(Ok(()));
        }
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
        if socket.kernel.is_reset() {
            self.event(side, TrialEvent::ReadEnd);
            return Poll::Ready(Ok(()));
        }
        socket.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    pub(super) fn poll_write(&mut self, side: Role, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_stopped(side) {
            return Poll::Pending;
        }
        let room = self.limits.buffer.saturating_sub(self.socket(side).outstanding);
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
        let count = bytes.len().min(room);
        socket.outstanding += count;
        self.send(side, Packet::Data(bytes[..count].to_vec()));
        self.event(side, TrialEvent::Wrote(count));
        Poll::Ready(Ok(count))
    }

    pub(super) fn poll_shutdown(&mut self, side: Role) -> Poll<io::Result<()>> {
        if self.is_stopped(side) {
            return Poll::Pending;
        }
        // Like tokio, ignores that the socket is no longer connected.
        if self.socket(side).kernel.can_write() {
            self.shut_down(side);
            self.event(side, TrialEvent::ShutDown);
        }
        Poll::Ready(Ok(()))
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
