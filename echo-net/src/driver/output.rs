//! Output: what the connection wants to write, until the transport takes no more.

use super::{Driver, SCRATCH};
use crate::transport::Transport;
use echo_core::{Outcome, Output, RequestBatch};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

impl<T: Transport> Driver<T> {
    /// Writes until the transport takes no more or nothing is left to write.
    pub(super) fn poll_output(&mut self, cx: &mut Context<'_>, now: Duration) -> Poll<Outcome> {
        while let Some(stream) = &mut self.stream {
            let stream = Pin::new(stream);
            match self.connection.poll_output(now) {
                Output::Transmit { header, payload } => {
                    let slices = [IoSlice::new(header), IoSlice::new(payload)];
                    let filled = if payload.is_empty() { &slices[..1] } else { &slices };
                    match taken(write_slices(stream, cx, filled), &mut self.reset, &mut self.unflushed) {
                        None => self.connection.handle_write_failed(now),
                        Some(0) => {
                            if !std::mem::replace(&mut self.blocked, true) {
                                self.look(now);
                            }
                            return Poll::Pending;
                        }
                        Some(count) => {
                            self.blocked = false;
                            self.connection.handle_sent(now, count);
                        }
                    }
                }
                Output::Fin => match stream.poll_shutdown(cx) {
                    Poll::Ready(result) => {
                        // A transport such as TLS writes here, so it may learn of a reset.
                        if let Err(error) = result {
                            self.reset |= is_reset(&error);
                            self.connection.handle_write_failed(now);
                        }
                        self.connection.handle_fin_sent(now);
                        // If the peer's FIN was read before, nothing waits any more.
                        if self.connection.outcome().is_none() {
                            self.look(now);
                        }
                    }
                    Poll::Pending => return Poll::Pending,
                },
                Output::Abort => {
                    if let Some(stream) = self.stream.take() {
                        stream.abort();
                    }
                    self.connection.handle_fin_sent(now);
                }
                Output::Wait(_) => {
                    if !self.unflushed {
                        return Poll::Pending;
                    }
                    match stream.poll_flush(cx) {
                        Poll::Ready(Ok(())) => {
                            self.unflushed = false;
                            return Poll::Pending;
                        }
                        Poll::Ready(Err(error)) => {
                            self.unflushed = false;
                            self.reset |= is_reset(&error);
                            self.connection.handle_write_failed(now);
                        }
                        Poll::Pending => return Poll::Pending,
                    }
                }
                Output::Ended(outcome) => return Poll::Ready(outcome),
            }
        }
        match self.connection.outcome() {
            Some(outcome) => Poll::Ready(outcome),
            None => Poll::Pending,
        }
    }

    /// Makes the requests that `fill` adds to a batch, and writes them at once. `None` if that is not possible now, and
    /// [`send`](Self::send) is.
    pub(crate) fn send_batch<R>(
        &mut self,
        cx: &mut Context<'_>,
        fill: impl FnOnce(&mut Context<'_>, &mut RequestBatch) -> R,
    ) -> Option<R> {
        let stream = self.stream.as_mut()?;
        let mut scratch = SCRATCH.take().unwrap_or_default();
        let filled = self.connection.begin_batch(&mut scratch.requests).then(|| {
            let filled = fill(cx, &mut scratch.requests);
            // The requests leave now, after what was written since the task was woken.
            self.now = self.timeline.now();
            let (reset, unflushed) = (&mut self.reset, &mut self.unflushed);
            self.connection.send_batch(self.now, &mut scratch.requests, |bytes| {
                taken(Pin::new(stream).poll_write(cx, bytes), reset, unflushed)
            });
            filled
        });
        SCRATCH.set(Some(scratch));
        filled
    }
}

/// Returns what a connection has to know of a write: the bytes taken, 0 if it is pending, or `None` if it failed.
pub(super) fn taken(write: Poll<io::Result<usize>>, reset: &mut bool, unflushed: &mut bool) -> Option<usize> {
    match write {
        Poll::Ready(Ok(0)) => None,
        Poll::Ready(Ok(count)) => {
            *unflushed = true;
            Some(count)
        }
        Poll::Ready(Err(error)) => {
            *reset |= is_reset(&error);
            None
        }
        Poll::Pending => Some(0),
    }
}

/// Writes slices. The system writes a single one faster as a buffer.
pub(super) fn write_slices<T: Transport>(
    stream: Pin<&mut T>,
    cx: &mut Context<'_>,
    slices: &[IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    match slices {
        [slice] => stream.poll_write(cx, slice),
        _ => stream.poll_write_vectored(cx, slices),
    }
}

/// Returns whether the whole connection ended, and not only the write direction.
fn is_reset(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, TimedOut};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | TimedOut)
}
