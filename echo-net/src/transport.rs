//! Transports and listeners: the byte streams that connections run over, and their sources.

use std::fmt;
use std::future::Future;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

/// A byte stream in both directions whose write half can be shut down alone (half-close).
///
/// A failed read means RST from the peer, with two exceptions:
/// - [`io::ErrorKind::UnexpectedEof`]: the input ended without the transport's own mark of an end, such as a TLS
///   close_notify. Without CLOSE frames the outcome is [`End::UnexpectedEof`](echo_core::End::UnexpectedEof).
/// - [`io::ErrorKind::InvalidData`]: the transport refuses what the peer sent. This side aborts the connection. If the
///   error holds a [`Violation`](echo_core::Violation), it is the outcome.
pub trait Transport: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Returns how many written bytes the peer has not acknowledged yet, FIN included. `None` (the default) if the
    /// transport cannot count them. With a count, deadlines measure whether the peer takes anything (clause 8.6).
    fn unacknowledged(&self) -> Option<usize> {
        None
    }

    /// Moves it to the runtime that the caller has entered ([`tokio::runtime::Handle::enter`]), so that no other thread
    /// wakes its task. The default returns it unchanged, which works, too, while its own runtime runs.
    ///
    /// # Errors
    /// The system's error.
    fn move_here(self) -> io::Result<Self>
    where
        Self: Sized,
    {
        Ok(self)
    }

    /// Is told the connection's number in the log of the server ([`Ended::number`](crate::Ended::number)), before
    /// anything is read. The default ignores it. A transport that logs something can name it.
    fn set_number(&mut self, _: u64) {}

    /// Is told when the connection acts next, at the latest, if no input comes. The default ignores it. A simulation
    /// passes over the time in which nothing happens.
    fn waits_until(&self, _: Instant) {}

    /// Aborts, by RST if the transport has one, so that the peer sees no regular end. The default drops the stream.
    fn abort(self)
    where
        Self: Sized,
    {
    }
}

impl Transport for TcpStream {
    /// Uses `SIOCOUTQ` (Linux).
    #[cfg(target_os = "linux")]
    fn unacknowledged(&self) -> Option<usize> {
        crate::system::unacknowledged(self)
    }

    fn move_here(self) -> io::Result<Self> {
        Self::from_std(self.into_std()?)
    }

    /// Sends RST by a linger time of zero: RFC 9293 section 3.10.5 (ABORT).
    fn abort(self) {
        // If the option cannot be set, the connection is already gone, and dropping it is enough.
        let _ = self.set_zero_linger();
    }
}

/// Maximum bytes in the kernel that are not sent yet. Linux allows megabytes by default. Then a slow reader holds as
/// much memory, and an ending begins before they are sent.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 256 * 1024;

/// Sets the socket options of a connection, or on Linux of a listener, whose connections inherit them.
///
/// # Errors
/// The connection is already gone.
pub(crate) fn prepare<'a>(socket: impl Into<socket2::SockRef<'a>>) -> io::Result<()> {
    let socket = socket.into();
    // Messages are gathered before they are written, so Nagle's algorithm only delays them.
    socket.set_tcp_nodelay(true)?;
    // Without this option, more bytes wait in the kernel.
    #[cfg(target_os = "linux")]
    let _ = socket.set_tcp_notsent_lowat(UNSENT);
    Ok(())
}

/// An in-memory stream, for tests. It has no RST: the peer of one that is aborted sees the end of the stream.
impl Transport for DuplexStream {}

/// Adapts any stream; `abort` drops it.
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

/// A source of streams. A stream of another crate needs a type of your own for its listener, and [`StreamTransport`]: the
/// example `service_on_turmoil` of the crate `sim-tests` runs a server and a client on a simulated network in this way.
/// [`in_memory`](crate::in_memory) returns one without sockets. A pair of listeners is one, too.
pub trait Listener: Send + 'static {
    /// The type of the streams.
    type Stream: Transport;
    /// The type of addresses. The server logs and reports a peer by its address.
    type Addr: fmt::Display + Send + 'static;

    /// Accepts the next stream and returns it with the peer's address. Must be cancel safe. The server counts an error,
    /// logs it, and tries again after 100 ms. A source without further streams stays pending.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Stream, Self::Addr)>> + Send;

    /// Returns the address that this listens at.
    ///
    /// # Errors
    /// The system's error.
    fn local_addr(&self) -> io::Result<Self::Addr>;
}

impl Listener for TcpListener {
    type Stream = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, peer) = TcpListener::accept(self).await?;
        prepare(&stream)?;
        Ok((stream, canonical(peer)))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        TcpListener::local_addr(self)
    }
}

/// Returns the address of an IPv4 peer of a dual-stack socket as an IPv4 address.
pub(crate) fn canonical(peer: SocketAddr) -> SocketAddr {
    SocketAddr::new(peer.ip().to_canonical(), peer.port())
}

#[cfg(unix)]
pub use unix::UnixAddr;

#[cfg(unix)]
mod unix {
    use super::{Listener, Transport};
    use std::fmt;
    use std::io;
    use tokio::net::{UnixListener, UnixStream};

    /// The address of a Unix socket. It is displayed as its path, or as "a local socket" if it has none.
    #[derive(Clone, Debug)]
    pub struct UnixAddr(pub tokio::net::unix::SocketAddr);

    impl fmt::Display for UnixAddr {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            match self.0.as_pathname() {
                Some(path) => write!(f, "{}", path.display()),
                None => f.write_str("a local socket"),
            }
        }
    }

    /// A Unix socket has no RST: abort drops it.
    impl Transport for UnixStream {
        fn move_here(self) -> io::Result<Self> {
            Self::from_std(self.into_std()?)
        }
    }

    /// [`UnixListener::bind`] fails with [`AddrInUse`](io::ErrorKind::AddrInUse) if the path exists, also if its server is
    /// gone: then remove the file. It fails with [`InvalidInput`](io::ErrorKind::InvalidInput) if the path is longer than
    /// the system allows (107 bytes on Linux).
    impl Listener for UnixListener {
        type Stream = UnixStream;
        type Addr = UnixAddr;

        async fn accept(&mut self) -> io::Result<(UnixStream, UnixAddr)> {
            UnixListener::accept(self).await.map(|(stream, peer)| (stream, UnixAddr(peer)))
        }

        fn local_addr(&self) -> io::Result<UnixAddr> {
            UnixListener::local_addr(self).map(UnixAddr)
        }
    }
}
