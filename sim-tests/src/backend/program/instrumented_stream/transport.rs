//! The instrumented stream as a transport of the program.

use super::{InstrumentedStream, State, lock};
use echo_net::Transport;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
#[cfg(feature = "turmoil")]
use tokio::time::Instant;

impl<S: Transport> AsyncRead for InstrumentedStream<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        lock(&self.0).read(cx, buffer)
    }
}

impl<S: Transport> AsyncWrite for InstrumentedStream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        lock(&self.0).write(cx, bytes)
    }

    /// Joins all slices, so that one write is one packet, however the transport handles slices.
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        lock(&self.0).write(cx, &bytes)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = lock(&self.0);
        if inner.read_pause.is_shut() {
            inner.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        inner.shut_down(cx)
    }
}

impl<S: Transport> Transport for InstrumentedStream<S> {
    /// `None` unless readers are slow. On other networks bytes in flight would count, and stream networks cannot count
    /// them.
    fn unacknowledged(&self) -> Option<usize> {
        let inner = lock(&self.0);
        match inner.buffered {
            Some(buffered) => Some(inner.written.saturating_sub(buffered.taken)),
            None => inner.stream.as_ref().filter(|_| inner.pace.is_some()).and_then(Transport::unacknowledged),
        }
    }

    #[cfg(feature = "turmoil")]
    fn waits_until(&self, alarm: Instant) {
        lock(&self.0).alarm = Some(alarm);
    }

    fn abort(self) {
        lock(&self.0).close(State::Aborted);
    }
}

/// Drops the stream with the program's end, as closing a socket does.
impl<S: Transport> Drop for InstrumentedStream<S> {
    fn drop(&mut self) {
        let mut inner = lock(&self.0);
        inner.close(State::Closed);
        #[cfg(feature = "turmoil")]
        {
            inner.alarm = None;
        }
    }
}
