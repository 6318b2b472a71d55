//! One end of a connection, like tokio's `TcpStream`.

use super::kernel::{Dropped, Name};
use super::net::Net;
use echo_core::Role;
use echo_net::Transport;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connected stream. Dropping it closes the socket: with RST if input is unread, otherwise with FIN. The kernel then
/// completes the close.
#[derive(Debug)]
pub struct PacketStream {
    net: Net,
    name: Name,
}

impl PacketStream {
    pub(super) fn new(net: Net, name: Name) -> Self {
        Self { net, name }
    }

    pub(super) fn poll_connected(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = self.net.act(|kernel| kernel.with(self.name, |socket, world| socket.poll_connected(world, cx)));
        polled.unwrap_or_else(gone)
    }
}

impl Net {
    /// Connects from an ephemeral port of `side` to `port` of its peer.
    ///
    /// # Errors
    /// Those of `connect` on Linux: refused, timed out (127 s), no port left.
    pub async fn connect(&self, side: Role, port: u16) -> io::Result<PacketStream> {
        self.connect_from(side, None, port).await
    }

    /// Connects from the port `from`, or from an ephemeral port if it is `None`.
    ///
    /// # Errors
    /// As [`Net::connect`], and if `from` is in use, TIME-WAIT included.
    pub async fn connect_from(&self, side: Role, from: Option<u16>, port: u16) -> io::Result<PacketStream> {
        let name = self.act(|kernel| kernel.connect(side, from, port))?;
        let stream = PacketStream::new(self.clone(), name);
        poll_fn(|cx| stream.poll_connected(cx)).await?;
        Ok(stream)
    }

    /// Listens on `port` of `side`.
    ///
    /// # Errors
    /// Fails if the port is in use, or 0.
    pub fn listen(&self, side: Role, port: u16) -> io::Result<PacketListener> {
        self.act(|kernel| kernel.listen(side, port))?;
        Ok(PacketListener { net: self.clone(), side, port })
    }
}

/// Waits for connections on a port. Dropping it resets those that were not accepted.
#[derive(Debug)]
pub struct PacketListener {
    net: Net,
    side: Role,
    port: u16,
}

impl PacketListener {
    /// Returns the next connection. Cancel safe.
    ///
    /// # Errors
    /// None at present. A connection that was reset before it was accepted reports the error when it is read.
    pub async fn accept(&self) -> io::Result<PacketStream> {
        let name = poll_fn(|cx| {
            let name = self.net.act(|kernel| kernel.accept(self.side, self.port, cx.waker()));
            name.map_or(Poll::Pending, Poll::Ready)
        });
        Ok(PacketStream::new(self.net.clone(), name.await))
    }
}

impl Drop for PacketListener {
    fn drop(&mut self) {
        self.net.lock().let_go(Dropped::Listener(self.side, self.port));
        self.net.stir();
    }
}

/// The result of a call on a host without power. No program is left there that could use it.
fn gone<T>() -> Poll<io::Result<T>> {
    Poll::Pending
}

impl AsyncRead for PacketStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let room = buffer.initialize_unfilled();
        let read = self.net.act(|kernel| kernel.with(self.name, |socket, world| socket.poll_read(world, cx, room)));
        let count = ready!(read.unwrap_or_else(gone))?;
        buffer.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for PacketStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written =
            self.net.act(|kernel| kernel.with(self.name, |socket, world| socket.poll_write(world, cx, bytes)));
        written.unwrap_or_else(gone)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Sends FIN (`shutdown(SHUT_WR)`). A closed connection counts as shut down, as with tokio.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = self.net.act(|kernel| kernel.with(self.name, |socket, world| socket.shut_down(world)));
        match shut {
            Some(Err(error)) if error.kind() != io::ErrorKind::NotConnected => Poll::Ready(Err(error)),
            Some(_) | None => Poll::Ready(Ok(())),
        }
    }
}

impl Transport for PacketStream {
    fn unacknowledged(&self) -> Option<usize> {
        self.net.act(|kernel| kernel.with(self.name, |socket, world| socket.unacknowledged(world))).flatten()
    }

    /// Sends RST, as with linger time zero (ABORT of RFC 9293 section 3.10.5).
    fn abort(self) {
        self.net.act(|kernel| kernel.with(self.name, |socket, world| socket.abort(world)));
    }
}

impl Drop for PacketStream {
    fn drop(&mut self) {
        self.net.lock().let_go(Dropped::Stream(self.name));
        self.net.stir();
    }
}
