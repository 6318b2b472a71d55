//! Requests in a batch, written at once past the connection's queue, and their answers.

use super::{Connection, Parser, Reply};
use crate::config::HIGH_WATER;
use crate::error::ApiMisuse;
use crate::frame::{ECHO_HEAD, REPLY_HEAD, echo_head, payload_len_of_echo, set_t1};
use crate::session::Session;
use crate::stamp::{Stamp, Stamps};
use std::time::Duration;

/// The requests of one batch. It is empty between two batches, so a caller needs only one for each thread.
#[derive(Debug, Default)]
pub struct RequestBatch {
    bytes: Vec<u8>,
    /// The number of the first request.
    first: u64,
    count: u64,
    /// Maximum length of a payload.
    limit: usize,
}

impl RequestBatch {
    /// Adds a request and returns its number.
    ///
    /// # Errors
    /// [`ApiMisuse::TooBig`]: the payload is over the limit of the connection. Nothing is added.
    #[inline]
    pub fn add(&mut self, payload: &[u8]) -> Result<u64, ApiMisuse> {
        if payload.len() > self.limit {
            return Err(ApiMisuse::TooBig { len: payload.len(), limit: self.limit });
        }
        let seq = self.first + self.count;
        self.bytes.extend_from_slice(&echo_head(seq, Stamp(0), payload.len()));
        self.bytes.extend_from_slice(payload);
        self.count += 1;
        Ok(seq)
    }

    /// Returns whether it takes no more: its requests would pile up.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.bytes.len() >= HIGH_WATER
    }

    /// Sets t1 of all requests.
    fn stamp(&mut self, t1: Stamp) {
        let mut at = 0;
        while let Some(head) = self.bytes.get_mut(at..).and_then(|bytes| bytes.first_chunk_mut::<ECHO_HEAD>()) {
            set_t1(head, t1);
            at += ECHO_HEAD + payload_len_of_echo(head);
        }
    }

    /// Queues what was not written.
    fn queue_rest(&self, written: usize, session: &mut Session) {
        session.skip_sent(written);
        let mut at = 0;
        let mut seq = self.first;
        while written < self.bytes.len()
            && let Some(head) = self.bytes.get(at..).and_then(|bytes| bytes.first_chunk::<ECHO_HEAD>())
        {
            let end = at + ECHO_HEAD + payload_len_of_echo(head);
            if written < end {
                let payload = self.bytes.get(at + ECHO_HEAD..end).unwrap_or_default();
                session.queue_unsent(seq, head, payload, written.saturating_sub(at));
            }
            at = end;
            seq += 1;
        }
    }
}

impl Connection {
    /// Client: begins a batch of requests, while nothing has ended and no output waits. `false` means that there is more
    /// to decide: use [`send`](Self::send). The batch changes nothing until [`send_batch`](Self::send_batch).
    pub fn begin_batch(&self, batch: &mut RequestBatch) -> bool {
        let Some(first) = self.session.next_request() else { return false };
        batch.bytes.clear();
        (batch.first, batch.count, batch.limit) = (first, 0, self.session.config.payload_limit());
        true
    }

    /// Client: makes the requests of a batch and writes them at once. It does what [`send`](Self::send),
    /// [`poll_output`](Self::poll_output) and [`handle_sent`](Self::handle_sent) do then. Requests that the transport does
    /// not take are queued.
    ///
    /// `batch` is what [`begin_batch`](Self::begin_batch) began, and nothing else was called since. `write` writes bytes
    /// and returns how many the transport took: 0 if it takes none now, `None` if it failed.
    pub fn send_batch(&mut self, now: Duration, batch: &mut RequestBatch, write: impl FnOnce(&[u8]) -> Option<usize>) {
        if batch.count == 0 || self.session.next_request() != Some(batch.first) {
            return;
        }
        batch.stamp(self.session.stamp(now));
        let written = write(&batch.bytes);
        self.session.note_requests(batch.count, now);
        batch.queue_rest(written.unwrap_or(0), &mut self.session);
        self.session.settle_requests(batch.first + batch.count, now);
        batch.count = 0;
        if written.is_none() {
            self.handle_write_failed(now);
        }
    }

    /// Client: takes the answers in order at the front of `input`, while nothing has ended. It advances `input` past
    /// them, and returns their number. If that is 0, use [`handle_input`](Self::handle_input).
    pub fn take_batch(&mut self, now: Duration, input: &mut &[u8], mut on_answer: impl FnMut(Reply<'_>)) -> u64 {
        let Parser::Framed(decoder) = &self.parser else { return 0 };
        let Some(owed) = self.session.owed_in_order() else { return 0 };
        let t4 = self.session.stamp(now);
        let (mut count, mut bytes) = (0, 0);
        let mut left = *input;
        for expected in owed {
            let Some((seq, [t1, t2, t3], payload)) = decoder.whole_reply(left) else { break };
            if seq != expected {
                break;
            }
            on_answer(Reply { seq, payload, stamps: Stamps { t1, t2, t3, t4 } });
            left = left.get(REPLY_HEAD + payload.len()..).unwrap_or_default();
            count += 1;
            bytes += payload.len();
        }
        *input = left;
        if count > 0 {
            self.session.note_answers(count, bytes, now);
        }
        count
    }
}
