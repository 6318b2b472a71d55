//! What a connection runs over: any byte stream, and what listens for it.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// A stream of bytes in both directions whose write half can be shut down by itself (half-close).
///
/// A read that fails means RST from the peer; with [`io::ErrorKind::InvalidData`] it means that the transport refuses what
/// the peer sent, and the connection is aborted from this side.
pub trait Transport: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// How many of the bytes that were written the peer has not acknowledged yet, FIN included; `None` (the default)
    /// if that cannot be told. Where it can, deadlines measure whether the peer takes anything (clause 8.6).
    fn unacknowledged(&self) -> Option<usize> {
        None
    }

    /// Lets go at once, so that the peer learns it was no regular end: by RST where the transport has one.
    /// Otherwise the stream is dropped.
    fn abort(self)
    where
        Self: Sized,
    {
    }
}

impl Transport for TcpStream {
    /// On Linux `SIOCOUTQ`.
    #[cfg(target_os = "linux")]
    fn unacknowledged(&self) -> Option<usize> {
        crate::system::unacknowledged(self)
    }

    /// Sends RST: linger time zero, RFC 9293 section 3.10.5 (ABORT).
    fn abort(self) {
        // If the option cannot be set, the connection is gone already, and dropping it is all that is left to do.
        let _ = self.set_zero_linger();
    }
}

/// How much may wait in the kernel that was not sent at all, in bytes. By itself Linux takes megabytes; then a peer that
/// reads slowly holds as much memory, and an ending begins while that is still to be sent.
const UNSENT: u32 = 256 * 1024;

/// Sets what every connection needs.
///
/// # Errors
/// The connection is gone already.
pub(crate) fn prepare(stream: &TcpStream) -> io::Result<()> {
    // Messages are gathered before they are written, so waiting for more (Nagle) only delays them.
    stream.set_nodelay(true)?;
    // Where it cannot be set, more waits.
    #[cfg(target_os = "linux")]
    let _ = socket2::SockRef::from(stream).set_tcp_notsent_lowat(UNSENT);
    Ok(())
}

/// An in-memory stream, for tests.
impl Transport for DuplexStream {}

/// A stream of anybody's as a transport whose abort is to be dropped: `Over(tls_stream)`.
#[derive(Debug)]
pub struct StreamTransport<T>(
    /// The stream.
    pub T,
);

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Transport for StreamTransport<T> {}

impl<T: AsyncRead + Unpin> AsyncRead for StreamTransport<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for StreamTransport<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// Accepts streams.
pub trait Listener: Send + 'static {
    /// What it accepts.
    type Stream: Transport;

    /// The next stream, and a name for its peer. Must be cancel safe.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Stream, String)>> + Send;
}

impl Listener for TcpListener {
    type Stream = TcpStream;

    async fn accept(&mut self) -> io::Result<(TcpStream, String)> {
        let (stream, peer) = TcpListener::accept(self).await?;
        prepare(&stream)?;
        Ok((stream, crate::listen::peer_name(peer)))
    }
}

#[cfg(unix)]
mod unix {
    use super::{Listener, Transport};
    use std::io;
    use tokio::net::{UnixListener, UnixStream};

    /// A local socket has no RST: aborting is dropping.
    impl Transport for UnixStream {}

    impl Listener for UnixListener {
        type Stream = UnixStream;

        async fn accept(&mut self) -> io::Result<(UnixStream, String)> {
            let (stream, _) = UnixListener::accept(self).await?;
            Ok((stream, "a local socket".to_owned()))
        }
    }
}
