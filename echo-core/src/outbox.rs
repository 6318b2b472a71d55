//! What is to be sent and has not been: the only output a connection owns.

use crate::stamp::Stamp;
use std::collections::VecDeque;

/// Payloads from this size on are lent as they are instead of being gathered with their neighbours.
const LARGE: usize = 4 * 1024;
/// Bytes that were sent are dropped from the front once there are so many, and they are the larger half.
const COMPACT: usize = 16 * 1024;

/// A queue of bytes, lent as a header slice (everything small up to the next large payload) and a payload slice.
///
/// When it is empty it holds no memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Outbox {
    /// Headers and small payloads; the first byte has position `base`.
    small: Vec<u8>,
    base: u64,
    /// How much of `small` was sent.
    at: usize,
    large: VecDeque<Large>,
    /// Positions of stamps to be set when the bytes are handed over.
    unstamped: VecDeque<u64>,
    queued: u64,
    sent: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Large {
    /// The position in `small` before which it comes.
    position: u64,
    payload: Vec<u8>,
    at: usize,
}

/// A place in the queue: where a frame begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Mark {
    /// Bytes queued before it, ever.
    pub(crate) offset: u64,
    position: u64,
}

impl Outbox {
    /// Bytes that wait.
    pub(crate) fn waiting(&self) -> usize {
        usize::try_from(self.queued - self.sent).unwrap_or(usize::MAX)
    }

    /// Bytes sent, ever.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    /// The end of the queue.
    pub(crate) fn mark(&self) -> Mark {
        Mark { offset: self.queued, position: self.base + self.small.len() as u64 }
    }

    /// Queues what `write` appends.
    pub(crate) fn append(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let before = self.small.len();
        write(&mut self.small);
        self.queued += (self.small.len() - before) as u64;
    }

    /// Queues a payload.
    pub(crate) fn payload(&mut self, payload: &[u8]) {
        if payload.len() < LARGE {
            return self.append(|out| out.extend_from_slice(payload));
        }
        self.queued += payload.len() as u64;
        let position = self.mark().position;
        self.large.push_back(Large { position, payload: payload.to_vec(), at: 0 });
    }

    /// The last eight bytes queued are a stamp, to be set by [`Outbox::stamp`].
    pub(crate) fn stamp_later(&mut self) {
        self.unstamped.push_back(self.mark().position - 8);
    }

    /// Sets all stamps that are due: once per batch handed to the transport.
    pub(crate) fn stamp(&mut self, now: Stamp) {
        for position in self.unstamped.drain(..) {
            let at = (position - self.base) as usize;
            self.small[at..at + 8].copy_from_slice(&now.0.to_be_bytes());
        }
    }

    /// The next bytes to send.
    pub(crate) fn lend(&self) -> (&[u8], &[u8]) {
        match self.large.front() {
            Some(large) => {
                let end = (large.position - self.base) as usize;
                (&self.small[self.at..end], &large.payload[large.at..])
            }
            None => (&self.small[self.at..], &[]),
        }
    }

    /// Forgets the first `count` bytes of what was lent last: they were sent.
    pub(crate) fn consume(&mut self, count: usize) {
        let (header, payload) = self.lend();
        let from_header = count.min(header.len());
        let from_payload = (count - from_header).min(payload.len());
        self.at += from_header;
        self.sent += (from_header + from_payload) as u64;
        if let Some(large) = self.large.front_mut().filter(|_| from_payload > 0) {
            large.at += from_payload;
            if large.at == large.payload.len() {
                self.large.pop_front();
            }
        }
        self.compact();
    }

    /// Forgets everything from `mark` on; nothing of it may have been sent.
    pub(crate) fn truncate(&mut self, mark: Mark) {
        debug_assert!(mark.offset >= self.sent, "what was sent cannot be taken back");
        let mut kept = mark.offset - self.sent;
        kept -= (mark.position - self.base).saturating_sub(self.at as u64);
        self.small.truncate((mark.position - self.base) as usize);
        self.unstamped.retain(|position| *position < mark.position);
        self.large.retain(|large| {
            let left = (large.payload.len() - large.at) as u64;
            let keep = left <= kept;
            kept -= if keep { left } else { 0 };
            keep
        });
        self.queued = mark.offset;
        self.compact();
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        *self = Self { queued: self.sent, sent: self.sent, ..Self::default() };
    }

    fn compact(&mut self) {
        if self.waiting() == 0 {
            self.clear();
        } else if self.at >= COMPACT && self.at * 2 >= self.small.len() {
            self.small.drain(..self.at);
            self.base += self.at as u64;
            self.at = 0;
        }
    }
}
