//! A TLS stream as a transport. A server's does its handshake when it is first read or written.

use super::checked::{Checked, is_silent};
use crate::transport::Transport;
use echo_core::Violation;
use std::fmt;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_rustls::{Accept, TlsAcceptor};

/// A stream of [`connect`](Self::connect), [`connect_tls`](crate::connect_tls) or [`TlsListener`](crate::TlsListener).
///
/// A half-close sends close_notify and then FIN. A FIN of the peer without close_notify is an
/// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof). Bytes that are no TLS, or a handshake that fails, are
/// [`InvalidData`](io::ErrorKind::InvalidData) with a [`Violation`] that names the reason.
///
/// If it is dropped or aborted without a half-close, the peer sees no close_notify, and up to 64 KiB of output that it has
/// taken can be lost. With debug assertions rustls 0.23 panics if a peer breaks TLS after this side's half-close (rustls
/// issue 959); without them that is an error like any other.
pub struct TlsStream<T> {
    state: State<T>,
}

/// A stream after its handshake.
type Open<T> = tokio_rustls::TlsStream<Checked<T>>;

enum State<T> {
    /// A server's. Nothing is read yet, so it can still be moved to another runtime.
    Accepted(T, Arc<ServerConfig>),
    Handshake(Box<Accept<Checked<T>>>),
    /// FIN was sent in the handshake. Further input means nothing.
    GivenUp(Box<Accept<Checked<T>>>),
    Open(Box<Open<T>>),
    /// The handshake failed, and the stream below is closed.
    Failed,
}

impl<T: Transport> TlsStream<T> {
    pub(super) fn accepted(stream: T, config: Arc<ServerConfig>) -> Self {
        Self { state: State::Accepted(stream, config) }
    }

    pub(super) fn open(stream: Open<T>) -> Self {
        Self { state: State::Open(Box::new(stream)) }
    }

    /// Returns the TLS connection, with the certificates of the peer and the version. `None` before the handshake is
    /// complete.
    pub fn tls(&self) -> Option<&rustls::CommonState> {
        match &self.state {
            State::Open(stream) => Some(stream.get_ref().1),
            State::Accepted(..) | State::Handshake(_) | State::GivenUp(_) | State::Failed => None,
        }
    }

    /// Returns the stream below TLS.
    fn below(&self) -> Option<&T> {
        match &self.state {
            State::Accepted(stream, _) => Some(stream),
            State::Handshake(accept) | State::GivenUp(accept) => accept.get_ref()?.stream.as_ref(),
            State::Open(stream) => stream.get_ref().0.stream.as_ref(),
            State::Failed => None,
        }
    }

    /// Begins the handshake, if it has not begun.
    fn begin(&mut self) {
        if !matches!(self.state, State::Accepted(..)) {
            return;
        }
        if let State::Accepted(stream, config) = std::mem::replace(&mut self.state, State::Failed) {
            let accept = TlsAcceptor::from(config).accept(Checked::new(stream));
            self.state = State::Handshake(Box::new(accept));
        }
    }

    /// Completes the handshake, and returns the open stream. `None` if there was none: the peer ended without a byte, or
    /// this side did.
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Pin<&mut Open<T>>>>> {
        self.begin();
        if let State::Handshake(accept) = &mut self.state {
            match ready!(Pin::new(&mut **accept).poll(cx)) {
                Ok(stream) => self.state = State::Open(Box::new(stream.into())),
                Err(error) => {
                    // It has dropped the stream below.
                    self.state = State::Failed;
                    return Poll::Ready(if is_silent(&error) { Ok(None) } else { Err(in_handshake(error)) });
                }
            }
        }
        Poll::Ready(Ok(match &mut self.state {
            State::Open(stream) => Some(Pin::new(&mut **stream)),
            State::Accepted(..) | State::Handshake(_) | State::GivenUp(_) | State::Failed => None,
        }))
    }
}

/// The error of a handshake as one that names the peer's fault.
fn in_handshake(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => violation("a TLS handshake", "a part of it and then FIN"),
        io::ErrorKind::InvalidData => refused("a TLS handshake", error),
        _ => error,
    }
}

/// The error of rustls as one that holds a violation.
fn refused(expected: &'static str, error: io::Error) -> io::Error {
    match error.downcast::<rustls::Error>() {
        Ok(rustls::Error::AlertReceived(alert)) => violation(expected, format!("the TLS alert {alert:?}")),
        Ok(error) => violation(expected, format!("an invalid one ({error})")),
        Err(error) => error,
    }
}

fn violation(expected: &'static str, got: impl Into<std::borrow::Cow<'static, str>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, Violation::protocol(expected, got))
}

impl<T: Transport> Transport for TlsStream<T> {
    /// Returns the number of the stream below: with what TLS adds, and without up to 64 KiB that it still holds.
    fn unacknowledged(&self) -> Option<usize> {
        self.below()?.unacknowledged()
    }

    fn move_here(self) -> io::Result<Self> {
        Ok(match self.state {
            State::Accepted(stream, config) => Self::accepted(stream.move_here()?, config),
            State::Handshake(_) | State::GivenUp(_) | State::Open(_) | State::Failed => self,
        })
    }

    fn set_number(&mut self, number: u64) {
        if let State::Accepted(stream, _) = &mut self.state {
            stream.set_number(number);
        }
    }

    fn waits_until(&self, until: Instant) {
        if let Some(below) = self.below() {
            below.waits_until(until);
        }
    }

    /// Aborts the stream below, without close_notify. After a failed handshake it is closed already, so that the peer can
    /// read the alert.
    fn abort(self) {
        let below = match self.state {
            State::Accepted(stream, _) => Some(stream),
            State::Handshake(mut accept) | State::GivenUp(mut accept) => {
                accept.get_mut().and_then(|below| below.stream.take())
            }
            State::Open(mut stream) => stream.get_mut().0.stream.take(),
            State::Failed => None,
        };
        if let Some(below) = below {
            below.abort();
        }
    }
}

impl<T: Transport> AsyncRead for TlsStream<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let State::GivenUp(accept) = &mut self.state {
            return match accept.get_mut() {
                Some(below) => match ready!(Pin::new(below).poll_read(cx, buffer)) {
                    Err(error) if is_silent(&error) => Poll::Ready(Ok(())),
                    read => Poll::Ready(read),
                },
                None => Poll::Ready(Ok(())),
            };
        }
        match ready!(self.poll_open(cx))? {
            Some(stream) => match ready!(stream.poll_read(cx, buffer)) {
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    Poll::Ready(Err(refused("a TLS record", error)))
                }
                read => Poll::Ready(read),
            },
            None => Poll::Ready(Ok(())),
        }
    }
}

impl<T: Transport> AsyncWrite for TlsStream<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match ready!(self.poll_open(cx))? {
            Some(stream) => stream.poll_write(cx, bytes),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match ready!(self.poll_open(cx))? {
            Some(stream) => stream.poll_write_vectored(cx, slices),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.state {
            State::Open(stream) => Pin::new(&mut **stream).poll_flush(cx),
            // Nothing was written.
            State::Accepted(..) | State::Handshake(_) | State::GivenUp(_) | State::Failed => Poll::Ready(Ok(())),
        }
    }

    /// Sends close_notify and FIN. In the handshake it sends FIN and gives up.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.begin();
        self.state = match std::mem::replace(&mut self.state, State::Failed) {
            State::Handshake(accept) => State::GivenUp(accept),
            other => other,
        };
        match &mut self.state {
            State::Open(stream) => Pin::new(&mut **stream).poll_shutdown(cx),
            State::GivenUp(accept) => match accept.get_mut() {
                Some(below) => Pin::new(below).poll_shutdown(cx),
                None => Poll::Ready(Ok(())),
            },
            State::Accepted(..) | State::Handshake(_) | State::Failed => Poll::Ready(Ok(())),
        }
    }
}

impl<T> fmt::Debug for TlsStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Accepted(..) => "accepted",
            State::Handshake(_) => "handshake",
            State::GivenUp(_) => "given up",
            State::Open(_) => "open",
            State::Failed => "failed",
        };
        f.debug_struct("TlsStream").field("state", &state).finish_non_exhaustive()
    }
}
