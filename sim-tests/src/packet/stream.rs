//! One end of a connection, as tokio's `TcpStream` is.

use super::kernel::{Dropped, Name};
use super::net::Net;
use echo_net::Transport;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connected stream. Dropping it closes the socket: FIN, or RST if something is unread; the kernel sees to the rest.
#[derive(Debug)]
pub struct Stream {
    net: Net,
    name: Name,
}

impl Stream {
    pub(super) fn new(net: Net, name: Name) -> Self {
        Self { net, name }
    }

    pub(super) fn poll_connected(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = self.net.act(|kernel| kernel.with(self.name, |socket, world| socket.poll_connected(world, cx)));
        polled.unwrap_or_else(gone)
    }
}

/// What a socket says whose host has lost its power; no program is left there to hear it.
fn gone<T>() -> Poll<io::Result<T>> {
    Poll::Pending
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let room = buffer.initialize_unfilled();
        let read = self.net.act(|kernel| kernel.with(self.name, |socket, world| socket.poll_read(world, cx, room)));
        let count = ready!(read.unwrap_or_else(gone))?;
        buffer.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written =
            self.net.act(|kernel| kernel.with(self.name, |socket, world| socket.poll_write(world, cx, bytes)));
        written.unwrap_or_else(gone)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Sends FIN (`shutdown(SHUT_WR)`). A connection that is no more is taken for shut down, as tokio does.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = self.net.act(|kernel| kernel.with(self.name, |socket, world| socket.shut_down(world)));
        match shut {
            Some(Err(error)) if error.kind() != io::ErrorKind::NotConnected => Poll::Ready(Err(error)),
            Some(_) | None => Poll::Ready(Ok(())),
        }
    }
}

impl Transport for Stream {
    fn unacknowledged(&self) -> Option<usize> {
        self.net.act(|kernel| kernel.with(self.name, |socket, world| socket.unacknowledged(world))).flatten()
    }

    /// Sends RST, as with linger time zero: RFC 9293 section 3.10.5 (ABORT).
    fn abort(self) {
        self.net.act(|kernel| kernel.with(self.name, |socket, world| socket.abort(world)));
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.net.lock().let_go(Dropped::Stream(self.name));
        self.net.stir();
    }
}
