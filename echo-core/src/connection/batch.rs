//! A batch of requests, answered from buffers of the caller instead of the connection's queue.

use super::{Connection, Parser};
use crate::config::HIGH_WATER;
use crate::frame::{Decoder, ECHO_HEAD, Frame, REPLY_HEAD, payload_len, reply_head, set_t3};
use crate::outbox::LARGE;
use crate::session::Session;
use crate::stamp::Stamp;
use std::io::IoSlice;
use std::ops::Range;
use std::time::Duration;

/// Maximum number of slices of a batch: each large payload, and what is before and behind it. Answers are added while a
/// batch is shorter than [`HIGH_WATER`].
const SLICES: usize = 2 * (HIGH_WATER / LARGE + 1) + 1;

/// The answers of one batch. It is empty between two batches, so a caller needs only one for each thread.
#[derive(Debug, Default)]
pub struct Batch {
    /// Heads and small payloads.
    bytes: Vec<u8>,
    large: Vec<Large>,
    /// The number of the first answer.
    first: u64,
    /// The number of answers.
    count: u64,
    /// Bytes of all answers.
    len: usize,
}

/// A payload that is written from where it was received.
#[derive(Clone, Debug)]
struct Large {
    /// The position in `bytes` before which it is written.
    position: usize,
    source: Source,
    range: Range<usize>,
}

/// The buffer that a payload is in.
#[derive(Clone, Copy, Debug)]
enum Source {
    Input,
    /// The decoder's: the first message began in an earlier input.
    Decoder,
}

impl Connection {
    /// Server: answers the requests at the front of `input` and writes the answers at once, while nothing has ended and
    /// no output waits. It advances `input` past the requests that were answered, and returns their number. It does what
    /// [`handle_input`](Self::handle_input), [`poll_output`](Self::poll_output) and [`handle_sent`](Self::handle_sent) do
    /// then, but copies no large payload. Answers that the transport does not take are queued.
    ///
    /// `now` is when the input was read; `clock` returns the time since the connection began. `write` writes the slices
    /// in their order and returns how many bytes the transport took: 0 if it takes none now, `None` if it failed.
    ///
    /// If the result is 0, use `handle_input`: something else comes next, or there is more to decide. Otherwise call
    /// this again for the next batch.
    pub fn serve_batch(
        &mut self,
        now: Duration,
        input: &mut &[u8],
        batch: &mut Batch,
        clock: impl FnOnce() -> Duration,
        write: impl FnOnce(&[IoSlice<'_>]) -> Option<usize>,
    ) -> u64 {
        let Self { parser: Parser::Framed(decoder), session, .. } = self else { return 0 };
        let Some(first) = session.next_in_order() else { return 0 };
        batch.begin(first);
        let mut left = *input;
        if decoder.is_partial() && !batch.add_partial(decoder, &mut left, session.stamp(now)) {
            return 0;
        }
        batch.add_whole(input.len() - left.len(), &mut left, decoder, session.stamp(now));
        if batch.count == 0 {
            return 0;
        }
        batch.stamp(session.stamp(clock()));
        let sources = Sources { input, partial: decoder.lent() };
        let written = batch.write(&sources, write);
        session.note_batch(batch.count, batch.len - batch.count as usize * REPLY_HEAD);
        batch.queue_rest(&sources, written.unwrap_or(0), session);
        session.settle_batch(now);
        decoder.forget_lent();
        *input = left;
        if written.is_none() {
            self.handle_write_failed(now);
        }
        batch.count
    }
}

/// The buffers that payloads are in.
struct Sources<'a> {
    input: &'a [u8],
    partial: &'a [u8],
}

impl<'a> Sources<'a> {
    fn payload(&self, large: &Large) -> &'a [u8] {
        let source = match large.source {
            Source::Input => self.input,
            Source::Decoder => self.partial,
        };
        source.get(large.range.clone()).unwrap_or_default()
    }
}

impl Batch {
    fn begin(&mut self, first: u64) {
        self.bytes.clear();
        self.large.clear();
        (self.first, self.count, self.len) = (first, 0, 0);
    }

    /// Adds the request that began in an earlier input, if it is the next one in order and its end is in `left`. Without
    /// a result nothing is taken.
    fn add_partial(&mut self, decoder: &mut Decoder, left: &mut &[u8], t2: Stamp) -> bool {
        if !decoder.completes_echo(self.first, left) {
            return false;
        }
        let Ok(Some(Frame::Echo { seq, t1, payload })) = decoder.decode(left) else { return false };
        let range = ECHO_HEAD..ECHO_HEAD + payload.len();
        self.add(&reply_head(seq, [t1, t2, t2], payload.len()), payload, Source::Decoder, range);
        true
    }

    /// Adds the whole requests in order at the front of `left`, which begins at `at` in the input.
    #[inline]
    fn add_whole(&mut self, at: usize, left: &mut &[u8], decoder: &Decoder, t2: Stamp) {
        let mut at = at;
        while self.len < HIGH_WATER
            && let Some((seq, t1, payload)) = decoder.whole_echo(left)
            && seq == self.first + self.count
        {
            let range = at + ECHO_HEAD..at + ECHO_HEAD + payload.len();
            at = range.end;
            *left = left.get(ECHO_HEAD + payload.len()..).unwrap_or_default();
            self.add(&reply_head(seq, [t1, t2, t2], payload.len()), payload, Source::Input, range);
        }
    }

    #[inline]
    fn add(&mut self, head: &[u8; REPLY_HEAD], payload: &[u8], source: Source, range: Range<usize>) {
        self.bytes.extend_from_slice(head);
        if payload.len() < LARGE {
            self.bytes.extend_from_slice(payload);
        } else {
            self.large.push(Large { position: self.bytes.len(), source, range });
        }
        self.count += 1;
        self.len += REPLY_HEAD + payload.len();
    }

    /// Sets t3 of all answers.
    fn stamp(&mut self, t3: Stamp) {
        let mut at = 0;
        while let Some(head) = self.bytes.get_mut(at..).and_then(|bytes| bytes.first_chunk_mut()) {
            set_t3(head, t3);
            at += REPLY_HEAD + copied_len(head);
        }
    }

    /// Writes all answers.
    fn write(&self, sources: &Sources<'_>, write: impl FnOnce(&[IoSlice<'_>]) -> Option<usize>) -> Option<usize> {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let mut filled = 0;
        let mut from = 0;
        for large in &self.large {
            slices[filled] = IoSlice::new(&self.bytes[from..large.position]);
            slices[filled + 1] = IoSlice::new(sources.payload(large));
            filled += 2;
            from = large.position;
        }
        if from < self.bytes.len() {
            slices[filled] = IoSlice::new(&self.bytes[from..]);
            filled += 1;
        }
        write(&slices[..filled])
    }

    /// Queues what was not written of the answers.
    fn queue_rest(&self, sources: &Sources<'_>, written: usize, session: &mut Session) {
        session.skip_sent(written);
        if written == self.len {
            return;
        }
        let (mut at, mut end) = (0, 0);
        let mut large = self.large.iter();
        let mut seq = self.first;
        while let Some(head) = self.bytes.get(at..).and_then(|bytes| bytes.first_chunk::<REPLY_HEAD>()) {
            let copied = copied_len(head);
            let payload = match payload_len(head) == copied {
                true => self.bytes.get(at + REPLY_HEAD..at + REPLY_HEAD + copied).unwrap_or_default(),
                false => large.next().map_or(&[][..], |large| sources.payload(large)),
            };
            let begin = end;
            end += REPLY_HEAD + payload.len();
            if written < end {
                session.queue_unsent(seq, head, payload, written.saturating_sub(begin));
            }
            at += REPLY_HEAD + copied;
            seq += 1;
        }
    }
}

/// Returns the bytes of payload that are behind a head in a batch: none of a large one.
fn copied_len(head: &[u8; REPLY_HEAD]) -> usize {
    let len = payload_len(head);
    if len < LARGE { len } else { 0 }
}
