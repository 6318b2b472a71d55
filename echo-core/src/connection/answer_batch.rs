//! A batch of requests, answered from buffers of the caller instead of the connection's queue.

use super::{Connection, Parser};
use crate::config::HIGH_WATER;
use crate::frame::{Decoder, ECHO_HEAD, Frame, REPLY_HEAD, payload_len, reply_head, set_t3};
use crate::outbox::LARGE;
use crate::plain::LineDecoder;
use crate::session::Session;
use crate::stamp::Stamp;
use std::io::IoSlice;
use std::ops::Range;
use std::time::Duration;

/// Answers are added while a batch is shorter than this: larger writes cost less for each byte. Of what the transport
/// does not take, only [`HIGH_WATER`] is queued, and one message.
const FULL: usize = 4 * HIGH_WATER;

/// Maximum number of slices of a batch: each large payload, and what is before and behind it.
const SLICES: usize = 2 * (FULL / LARGE + 1) + 1;

/// Fewer bytes than this are not worth a write of their own.
const FEW: usize = 1024;

/// The answers of one batch. It is empty between two batches, so a caller needs only one for each thread.
#[derive(Debug, Default)]
pub struct AnswerBatch {
    /// Heads and small payloads.
    bytes: Vec<u8>,
    large: Vec<Large>,
    /// The number of the first answer.
    first: u64,
    /// The number of answers.
    count: u64,
    /// Bytes of all answers, and of their heads.
    len: usize,
    heads: usize,
    /// Where the first request ends in the input.
    first_end: usize,
    /// Whether they are REPLYs, and not lines.
    is_framed: bool,
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
        batch: &mut AnswerBatch,
        clock: impl FnOnce() -> Duration,
        write: impl FnOnce(&[IoSlice<'_>]) -> Option<usize>,
    ) -> u64 {
        let Some(first) = self.session.next_in_order() else { return 0 };
        let (source, left) = match &mut self.parser {
            Parser::Framed(decoder) => {
                let left = batch.take_frames(first, decoder, input, self.session.stamp(now));
                if batch.count > 0 {
                    batch.stamp(self.session.stamp(clock()));
                }
                (decoder.lent(), left)
            }
            Parser::Plain { splitter, lookout } if lookout.is_over() && !self.session.config.quiet.is_zero() => {
                let left = batch.take_lines(first, splitter, input, self.session.time_text(now));
                (splitter.lent(), left)
            }
            Parser::Undetected | Parser::Greeting(_) | Parser::Plain { .. } => return 0,
        };
        if batch.count == 0 {
            return 0;
        }
        let sources = Sources { input, partial: source };
        let written = batch.write(&sources, write);
        self.session.skip_sent(written.unwrap_or(0));
        let mut used = input.len() - left.len();
        if written != Some(batch.len) {
            used = batch.queue_rest(&sources, used, written.unwrap_or(0), &mut self.session);
        }
        *input = input.get(used..).unwrap_or_default();
        self.session.note_batch(batch.count, batch.len - batch.heads);
        self.session.settle_batch(now);
        self.quiet_at = None;
        self.drop_used_input();
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

impl AnswerBatch {
    fn begin(&mut self, first: u64, is_framed: bool) {
        self.bytes.clear();
        self.large.clear();
        (self.first, self.count, self.len, self.heads) = (first, 0, 0, 0);
        self.is_framed = is_framed;
    }

    /// Adds the requests in order at the front of `input`, and returns what is behind them.
    fn take_frames<'i>(&mut self, first: u64, decoder: &mut Decoder, input: &'i [u8], t2: Stamp) -> &'i [u8] {
        self.begin(first, true);
        let mut left = input;
        // The first one may have begun in an earlier input.
        if decoder.is_partial() {
            if !decoder.completes_echo(first, left) {
                return input;
            }
            let Ok(Some(Frame::Echo { seq, t1, payload })) = decoder.decode(&mut left) else { return input };
            let range = ECHO_HEAD..ECHO_HEAD + payload.len();
            self.add(&reply_head(seq, [t1, t2, t2], payload.len()), payload, Source::Decoder, range);
            self.first_end = input.len() - left.len();
        }
        while self.len < FULL
            && let Some((seq, t1, payload)) = decoder.next_whole_echo(left)
            && seq == first + self.count
        {
            let begin = input.len() - left.len() + ECHO_HEAD;
            let range = begin..begin + payload.len();
            if self.count == 0 {
                self.first_end = range.end;
            }
            left = left.get(ECHO_HEAD + payload.len()..).unwrap_or_default();
            self.add(&reply_head(seq, [t1, t2, t2], payload.len()), payload, Source::Input, range);
        }
        if self.bytes.len() < FEW && decoder.is_other(left) && decoder.lent().is_empty() {
            // An end follows a few requests: their answers and the end leave together, through the queue.
            self.count = 0;
        }
        left
    }

    /// Adds the whole lines at the front of `input`, each with `time` before it, and returns what is behind them.
    fn take_lines<'i>(&mut self, first: u64, decoder: &mut LineDecoder, input: &'i [u8], time: &str) -> &'i [u8] {
        self.begin(first, false);
        let mut left = input;
        if decoder.is_partial() {
            if !decoder.completes_line(left) {
                return input;
            }
            if let Some(line) = decoder.line(&mut left) {
                self.add(time.as_bytes(), line, Source::Decoder, 0..line.len());
            }
        }
        while self.len < HIGH_WATER
            && let Some(line) = decoder.next_whole_line(left)
        {
            let begin = input.len() - left.len();
            left = left.get(line.len()..).unwrap_or_default();
            self.add(time.as_bytes(), line, Source::Input, begin..begin + line.len());
        }
        left
    }

    #[inline]
    fn add(&mut self, head: &[u8], payload: &[u8], source: Source, range: Range<usize>) {
        self.bytes.extend_from_slice(head);
        if payload.len() < LARGE {
            self.bytes.extend_from_slice(payload);
        } else {
            self.large.push(Large { position: self.bytes.len(), source, range });
        }
        self.count += 1;
        self.heads += head.len();
        self.len += head.len() + payload.len();
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
        if self.large.is_empty() {
            return write(&[IoSlice::new(&self.bytes)]);
        }
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

    /// Queues what was not written, of `used` bytes of input. Returns how many of them are used: requests whose answers
    /// the queue has no room for are not accepted.
    fn queue_rest(&mut self, sources: &Sources<'_>, used: usize, written: usize, session: &mut Session) -> usize {
        if self.is_framed {
            return self.queue_frames(sources, written, session);
        }
        self.queue_lines(sources, written, session);
        used
    }

    /// Returns the bytes of input of the accepted requests.
    fn queue_frames(&mut self, sources: &Sources<'_>, written: usize, session: &mut Session) -> usize {
        let (mut at, mut end) = (0, 0);
        let mut used = self.first_end;
        let mut large = self.large.iter();
        let mut seq = self.first;
        while end < written + HIGH_WATER
            && let Some(head) = self.bytes.get(at..).and_then(|bytes| bytes.first_chunk::<REPLY_HEAD>())
        {
            let copied = copied_len(head);
            let payload = match payload_len(head) == copied {
                true => self.bytes.get(at + REPLY_HEAD..at + REPLY_HEAD + copied).unwrap_or_default(),
                false => large.next().map_or(&[][..], |large| sources.payload(large)),
            };
            let begin = end;
            end += REPLY_HEAD + payload.len();
            if begin > 0 {
                used += ECHO_HEAD + payload.len();
            }
            if written < end {
                session.queue_unsent(seq, head, payload, written.saturating_sub(begin));
            }
            at += REPLY_HEAD + copied;
            seq += 1;
        }
        self.count = seq - self.first;
        self.heads = self.count as usize * REPLY_HEAD;
        self.len = end;
        used
    }

    fn queue_lines<'a>(&'a self, sources: &Sources<'a>, written: usize, session: &mut Session) {
        let mut skip = written;
        let mut rest = |piece: &'a [u8]| {
            let skipped = skip.min(piece.len());
            skip -= skipped;
            &piece[skipped..]
        };
        let mut from = 0;
        for large in &self.large {
            session.queue_plain_rest(rest(&self.bytes[from..large.position]), 0);
            let line = sources.payload(large);
            session.queue_plain_rest(rest(line), line.len());
            from = large.position;
        }
        // What is in `bytes` is short.
        session.queue_plain_rest(rest(&self.bytes[from..]), 0);
    }
}

/// Returns the bytes of payload that are behind a head in a batch: none of a large one.
fn copied_len(head: &[u8; REPLY_HEAD]) -> usize {
    let len = payload_len(head);
    if len < LARGE { len } else { 0 }
}
