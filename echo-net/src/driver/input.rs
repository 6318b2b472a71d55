//! Input: what the transport has, as far as the connection takes it.

use super::output::{taken, write_slices};
use super::{Driver, READ, SCRATCH, Scratch};
use crate::transport::Transport;
use echo_core::{AnswerBatch, Event, Role, Violation};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::ReadBuf;

/// Fewer bytes of input than this are answered within a microsecond, so their answers leave when they were read.
const FEW: usize = 4096;

impl<T: Transport> Driver<T> {
    /// Reads once, if input is wanted. Ready if input or an end was handled.
    pub(super) fn poll_input(&mut self, cx: &mut Context<'_>, on_event: &mut impl FnMut(Event<'_>)) -> Poll<()> {
        if !self.connection.wants_input() || self.read_over || self.paused {
            return Poll::Pending;
        }
        if let Some(mut rest) = self.rest.take() {
            self.now = self.timeline.now();
            rest.at += self.take_in(&rest.bytes[rest.at..], on_event);
            if rest.at < rest.bytes.len() {
                self.rest = Some(rest);
            }
            return Poll::Ready(());
        }
        let mut scratch = SCRATCH.take().unwrap_or_default();
        scratch.input.resize(READ, 0);
        let came = self.read_into(&mut scratch, cx, on_event);
        SCRATCH.set(Some(scratch));
        came
    }

    fn read_into(
        &mut self,
        scratch: &mut Scratch,
        cx: &mut Context<'_>,
        on_event: &mut impl FnMut(Event<'_>),
    ) -> Poll<()> {
        let Some(stream) = &mut self.stream else { return Poll::Pending };
        let mut buffer = ReadBuf::new(&mut scratch.input);
        let read = Pin::new(stream).poll_read(cx, &mut buffer);
        if read.is_ready() {
            // The input may be younger than the last write.
            self.now = self.timeline.now();
        }
        let now = self.now;
        match read {
            Poll::Ready(Ok(())) => match buffer.filled() {
                [] if self.reset => self.handle_reset(now),
                [] => {
                    self.read_over = true;
                    self.connection.handle_fin(now);
                }
                filled => {
                    let answered = self.take_batches(filled, &mut scratch.answers, cx, on_event);
                    let left = &filled[answered..];
                    let taken = self.take_in(left, on_event);
                    let rest = &left[taken..];
                    self.rest = (!rest.is_empty()).then(|| Box::new(Rest { bytes: rest.to_vec(), at: 0 }));
                }
            },
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => (),
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof && !self.reset => {
                self.read_over = true;
                self.connection.handle_unexpected_eof(now);
            }
            // The transport refuses what the peer sent, so this side ends the connection.
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
                self.read_over = true;
                match error.downcast::<Violation>() {
                    Ok(violation) => self.connection.handle_refused(now, violation),
                    Err(_) => self.connection.abort(now),
                }
            }
            Poll::Ready(Err(_)) => self.handle_reset(now),
            // The transport takes no bytes, and all it had received is read.
            Poll::Pending if self.connection.is_write_closed() && self.read_in_vain => self.handle_reset(now),
            Poll::Pending => {
                // tokio's budget may be spent although input is waiting, so poll once more.
                self.read_in_vain = self.connection.is_write_closed();
                if self.read_in_vain {
                    cx.waker().wake_by_ref();
                }
                return Poll::Pending;
            }
        }
        self.read_in_vain = false;
        Poll::Ready(())
    }

    fn handle_reset(&mut self, now: Duration) {
        self.read_over = true;
        self.connection.handle_reset(now);
    }

    /// Handles messages in order, and writes answers at once. Returns the bytes of input taken.
    fn take_batches(
        &mut self,
        input: &[u8],
        batch: &mut AnswerBatch,
        cx: &mut Context<'_>,
        on_event: &mut impl FnMut(Event<'_>),
    ) -> usize {
        let mut left = input;
        let now = self.now;
        let Self { stream: Some(stream), connection, timeline, reset, unflushed, share, .. } = self else { return 0 };
        loop {
            let before = left.len();
            let count = match connection.machine().role() {
                Role::Client => connection.take_batch(now, &mut left, |reply| on_event(Event::Reply(reply))),
                Role::Server => connection.serve_batch(
                    now,
                    &mut left,
                    batch,
                    || if before < FEW { now } else { timeline.now() },
                    |slices| taken(write_slices(Pin::new(&mut *stream), cx, slices), reset, unflushed),
                ),
            };
            if count == 0 {
                return input.len() - left.len();
            }
            share.spend_batch(count, before - left.len());
        }
    }

    /// Passes input to the connection while it takes more and the share is not spent. Returns the bytes taken.
    fn take_in(&mut self, input: &[u8], on_event: &mut impl FnMut(Event<'_>)) -> usize {
        let mut left = input;
        while !left.is_empty() && !self.share.is_spent() {
            let before = left.len();
            let event = self.connection.handle_input(self.now, &mut left);
            self.share.spend(before - left.len());
            match event {
                Some(event) => on_event(event),
                None => break,
            }
        }
        if left.len() < input.len() {
            // Answers are stamped when they leave, not when the input was read.
            self.now = self.timeline.now();
        }
        input.len() - left.len()
    }
}

/// Bytes that were read, and how many of them are handled.
#[derive(Debug)]
pub(super) struct Rest {
    bytes: Vec<u8>,
    at: usize,
}

impl Rest {
    /// Returns the bytes of memory it owns.
    pub(super) fn owned(&self) -> usize {
        self.bytes.capacity()
    }
}
