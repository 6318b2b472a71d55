//! One server on two listeners of different kinds.

use crate::transport::{Listener, Transport};
use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// One of two things: the stream, or the address, of a pair of listeners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Either<A, B> {
    /// Of the first listener.
    First(A),
    /// Of the second listener.
    Second(B),
}

/// Accepts from both. So one server, with one set of limits, one [`Report`](crate::Report) and one
/// [`Metrics`](crate::Metrics), serves TLS and a Unix socket, for example; for three, nest the pairs. It displays its own
/// address as that of the first.
///
/// ```
/// # #[cfg(unix)]
/// # async fn run() -> std::io::Result<()> {
/// use echo_net::{Echo, ServerConfig, serve};
/// use tokio::net::{TcpListener, UnixListener};
///
/// let listeners = (TcpListener::bind("127.0.0.1:2012").await?, UnixListener::bind("/run/echo.sock")?);
/// serve(listeners, Echo, ServerConfig::default(), std::future::pending()).await;
/// # Ok(())
/// # }
/// ```
impl<A: Listener, B: Listener> Listener for (A, B) {
    type Stream = Either<A::Stream, B::Stream>;
    type Addr = Either<A::Addr, B::Addr>;

    async fn accept(&mut self) -> io::Result<(Self::Stream, Self::Addr)> {
        // Each is cancel safe. The order is random, so that neither waits for a busy other.
        tokio::select! {
            first = self.0.accept() => first.map(|(stream, peer)| (Either::First(stream), Either::First(peer))),
            second = self.1.accept() => second.map(|(stream, peer)| (Either::Second(stream), Either::Second(peer))),
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.0.local_addr().map(Either::First)
    }
}

impl<A: fmt::Display, B: fmt::Display> fmt::Display for Either<A, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::First(one) => one.fmt(f),
            Self::Second(one) => one.fmt(f),
        }
    }
}

/// Calls a method of the stream that is there.
macro_rules! of_either {
    ($either:expr, $stream:ident => $call:expr) => {
        match $either {
            Either::First($stream) => $call,
            Either::Second($stream) => $call,
        }
    };
}

impl<A: Transport, B: Transport> Transport for Either<A, B> {
    fn unacknowledged(&self) -> Option<usize> {
        of_either!(self, stream => stream.unacknowledged())
    }

    fn move_here(self) -> io::Result<Self> {
        Ok(match self {
            Self::First(stream) => Self::First(stream.move_here()?),
            Self::Second(stream) => Self::Second(stream.move_here()?),
        })
    }

    fn set_number(&mut self, number: u64) {
        of_either!(self, stream => stream.set_number(number));
    }

    fn waits_until(&self, moment: Instant) {
        of_either!(self, stream => stream.waits_until(moment));
    }

    fn abort(self) {
        of_either!(self, stream => stream.abort());
    }
}

impl<A: AsyncRead + Unpin, B: AsyncRead + Unpin> AsyncRead for Either<A, B> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        of_either!(self.get_mut(), stream => Pin::new(stream).poll_read(cx, buffer))
    }
}

impl<A: AsyncWrite + Unpin, B: AsyncWrite + Unpin> AsyncWrite for Either<A, B> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        of_either!(self.get_mut(), stream => Pin::new(stream).poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        of_either!(self.get_mut(), stream => Pin::new(stream).poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        of_either!(self, stream => stream.is_write_vectored())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        of_either!(self.get_mut(), stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        of_either!(self.get_mut(), stream => Pin::new(stream).poll_shutdown(cx))
    }
}
