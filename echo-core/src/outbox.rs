//! The output queue: what is not yet sent, and the only output a connection owns.

use crate::stamp::Stamp;
use std::collections::VecDeque;
use std::hash::Hash;

/// Payloads of at least this size are lent as they are; smaller ones are copied into one buffer.
pub(crate) const LARGE: usize = 4 * 1024;
/// Sent bytes are removed from the front once they are at least this many and at least half of the buffer.
const COMPACT: usize = 16 * 1024;

/// A queue of bytes. It lends a header slice (all small items up to the next large payload) and a payload slice.
///
/// An empty queue owns no memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outbox {
    sent: u64,
    /// Nothing most of the time, so in a box.
    queue: Option<Box<Queue>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Queue {
    /// Headers and small payloads; the first byte has position `base`.
    small: Vec<u8>,
    base: u64,
    /// Bytes of `small` that were sent.
    at: usize,
    large: VecDeque<Large>,
    /// Positions of stamps that are set when the bytes are handed to the transport.
    unstamped: Vec<u64>,
    /// Bytes that are not yet sent.
    waiting: usize,
    /// Numbers and positions of the requests or answers that have sent no byte.
    starts: VecDeque<(u64, Mark)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Large {
    /// The position in `small` before which the payload is sent.
    position: u64,
    payload: Vec<u8>,
    at: usize,
}

/// A position in the queue where a frame begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Mark {
    /// Bytes queued before it since the connection began.
    pub(crate) offset: u64,
    position: u64,
}

impl Outbox {
    /// Returns the bytes that are not yet sent.
    #[inline]
    pub(crate) fn waiting(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.waiting)
    }

    /// Returns the bytes sent since the connection began.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    /// Returns the bytes queued since the connection began.
    pub(crate) fn queued(&self) -> u64 {
        self.sent + self.waiting() as u64
    }

    #[inline]
    fn queue(&mut self) -> &mut Queue {
        self.queue.get_or_insert_default()
    }

    /// Notes that request or answer `seq` begins at the end of the queue. Returns that position.
    #[inline]
    pub(crate) fn begin(&mut self, seq: u64) {
        let sent = self.sent;
        let queue = self.queue();
        let mark = Mark { offset: sent + queue.waiting as u64, position: queue.end() };
        queue.starts.push_back((seq, mark));
    }

    /// Returns the first request or answer that has sent no byte, and where it begins.
    pub(crate) fn first_unsent(&self) -> Option<(u64, Mark)> {
        self.queue.as_ref().and_then(|queue| queue.starts.front().copied())
    }

    /// Returns all of them with their distance from what was sent.
    #[cfg(feature = "explore")]
    pub(crate) fn unsent(&self) -> impl Iterator<Item = (u64, u64)> {
        let starts = self.queue.iter().flat_map(|queue| &queue.starts);
        starts.map(|(seq, mark)| (*seq, mark.offset - self.sent))
    }

    /// Forgets the requests or answers that have sent a byte since the last call. Returns the last of them.
    pub(crate) fn take_begun(&mut self) -> Option<u64> {
        let queue = self.queue.as_mut()?;
        let begun = queue.starts.partition_point(|(_, mark)| mark.offset < self.sent);
        let last = begun.checked_sub(1).and_then(|last| queue.starts.get(last)).map(|(seq, _)| *seq);
        queue.starts.drain(..begun);
        if queue.waiting == 0 && queue.starts.is_empty() {
            self.queue = None;
        }
        last
    }

    /// Forgets all of them.
    pub(crate) fn forget_unsent(&mut self) {
        if let Some(queue) = &mut self.queue {
            queue.starts.clear();
        }
    }

    /// Queues the bytes that `write` appends.
    #[inline]
    pub(crate) fn append(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let queue = self.queue();
        let before = queue.small.len();
        write(&mut queue.small);
        queue.waiting += queue.small.len() - before;
    }

    /// Queues a payload.
    #[inline]
    pub(crate) fn payload(&mut self, payload: &[u8]) {
        self.rest(payload, payload.len());
    }

    /// Queues the rest of a payload that had `size` bytes.
    #[inline]
    pub(crate) fn rest(&mut self, rest: &[u8], size: usize) {
        if rest.is_empty() {
            return;
        }
        if size < LARGE {
            return self.append(|out| out.extend_from_slice(rest));
        }
        let queue = self.queue();
        queue.waiting += rest.len();
        let position = queue.end();
        queue.large.push_back(Large { position, payload: rest.to_vec(), at: 0 });
    }

    /// Queues a frame: a head, whose last eight bytes are a stamp that [`Outbox::stamp`] sets, and a payload.
    #[inline]
    pub(crate) fn frame(&mut self, head: &[u8], payload: &[u8]) {
        let queue = self.queue();
        queue.small.extend_from_slice(head);
        queue.waiting += head.len();
        queue.unstamped.push(queue.end() - 8);
        self.payload(payload);
    }

    /// Notes that `count` bytes were sent past the empty queue.
    pub(crate) fn skip(&mut self, count: usize) {
        debug_assert_eq!(self.waiting(), 0, "bytes pass no others");
        self.sent += count as u64;
    }

    /// Sets all stamps that are due, once per batch handed to the transport.
    pub(crate) fn stamp(&mut self, now: Stamp) {
        let Some(queue) = &mut self.queue else { return };
        for position in queue.unstamped.drain(..) {
            let at = (position - queue.base) as usize;
            queue.small[at..at + 8].copy_from_slice(&now.0.to_be_bytes());
        }
    }

    /// Returns the next bytes to send.
    pub(crate) fn lend(&self) -> (&[u8], &[u8]) {
        self.queue.as_ref().map_or((&[], &[]), |queue| queue.lend())
    }

    /// Removes the first `count` bytes of what was lent last: they were sent. Call
    /// [`take_begun`](Self::take_begun) then.
    pub(crate) fn consume(&mut self, count: usize) {
        if let Some(queue) = &mut self.queue {
            self.sent += queue.consume(count) as u64;
        }
    }

    /// Removes everything from `mark` on. Nothing after `mark` may have been sent.
    pub(crate) fn truncate(&mut self, mark: Mark) {
        debug_assert!(mark.offset >= self.sent, "bytes that were sent cannot be removed");
        let kept = usize::try_from(mark.offset - self.sent).unwrap_or(usize::MAX);
        if let Some(queue) = &mut self.queue {
            queue.truncate(mark.position, kept);
            if queue.waiting == 0 && queue.starts.is_empty() {
                self.queue = None;
            }
        }
    }

    /// Removes everything.
    pub(crate) fn clear(&mut self) {
        self.queue = None;
    }

    /// Returns what is still to be sent, for hashing. Bytes already sent are not part of it.
    #[cfg(feature = "explore")]
    pub(crate) fn waits(&self) -> impl Hash {
        self.queue.as_ref().map(|queue| {
            let (header, payload) = queue.lend();
            let begin = queue.base + queue.at as u64;
            let large: Vec<_> =
                queue.large.iter().map(|large| (large.position - begin, &large.payload[large.at..])).collect();
            let unstamped: Vec<_> = queue.unstamped.iter().map(|position| position - begin).collect();
            let rest = &queue.small[queue.at + header.len()..];
            (header, payload, rest, large, unstamped)
        })
    }

    /// Returns the bytes of memory it owns.
    pub(crate) fn owned(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| size_of::<Queue>() + queue.owned())
    }
}

impl Queue {
    /// Returns the position of the end.
    #[inline]
    fn end(&self) -> u64 {
        self.base + self.small.len() as u64
    }

    fn lend(&self) -> (&[u8], &[u8]) {
        match self.large.front() {
            Some(large) => {
                let end = (large.position - self.base) as usize;
                (&self.small[self.at..end], &large.payload[large.at..])
            }
            None => (&self.small[self.at..], &[]),
        }
    }

    /// Returns how many bytes it has removed.
    fn consume(&mut self, count: usize) -> usize {
        let (header, payload) = self.lend();
        let from_header = count.min(header.len());
        let from_payload = (count - from_header).min(payload.len());
        self.at += from_header;
        self.waiting -= from_header + from_payload;
        if let Some(large) = self.large.front_mut().filter(|_| from_payload > 0) {
            large.at += from_payload;
            if large.at == large.payload.len() {
                self.large.pop_front();
            }
        }
        self.compact();
        from_header + from_payload
    }

    /// Keeps `kept` bytes, of which those of `small` are before `position`.
    fn truncate(&mut self, position: u64, kept: usize) {
        self.waiting = kept;
        let mut kept = kept - ((position - self.base) as usize).saturating_sub(self.at);
        self.small.truncate((position - self.base) as usize);
        self.unstamped.retain(|stamp| *stamp < position);
        self.large.retain(|large| {
            let left = large.payload.len() - large.at;
            let keep = left <= kept;
            kept -= if keep { left } else { 0 };
            keep
        });
        self.compact();
    }

    fn owned(&self) -> usize {
        let lists = self.large.capacity() * size_of::<Large>()
            + self.unstamped.capacity() * size_of::<u64>()
            + self.starts.capacity() * size_of::<(u64, Mark)>();
        self.small.capacity() + lists + self.large.iter().map(|large| large.payload.capacity()).sum::<usize>()
    }

    fn compact(&mut self) {
        if self.at >= COMPACT && self.at * 2 >= self.small.len() {
            self.small.drain(..self.at);
            self.base += self.at as u64;
            self.at = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small(outbox: &mut Outbox, text: &[u8]) {
        outbox.append(|out| out.extend_from_slice(text));
    }

    /// Sends everything in steps of `step` bytes, and returns it.
    fn drain(outbox: &mut Outbox, step: usize) -> Vec<u8> {
        let mut sent = Vec::new();
        while outbox.waiting() > 0 {
            let (header, payload) = outbox.lend();
            let bytes = [header, payload].concat();
            let count = bytes.len().min(step);
            sent.extend_from_slice(&bytes[..count]);
            outbox.consume(count);
            outbox.take_begun();
        }
        sent
    }

    #[test]
    fn order_is_kept_in_any_step() {
        let large = |byte| vec![byte; LARGE + 3];
        let expected = [b"one".to_vec(), large(b'a'), large(b'b'), b"two".to_vec(), large(b'c')].concat();
        for step in [1, 7, LARGE, usize::MAX] {
            let mut outbox = Outbox::default();
            small(&mut outbox, b"one");
            outbox.payload(&large(b'a'));
            outbox.payload(&large(b'b'));
            small(&mut outbox, b"two");
            outbox.payload(&large(b'c'));
            assert_eq!(outbox.waiting(), expected.len());
            assert_eq!(drain(&mut outbox, step), expected, "in steps of {step}");
        }
    }

    #[test]
    fn empty_means_no_memory() {
        let mut outbox = Outbox::default();
        small(&mut outbox, &[1; COMPACT]);
        outbox.payload(&[2; LARGE]);
        drain(&mut outbox, 1000);
        assert_eq!(outbox.owned(), 0);
    }

    #[test]
    fn long_queues_are_compacted() {
        let mut outbox = Outbox::default();
        small(&mut outbox, &[1; 2 * COMPACT]);
        outbox.consume(COMPACT);
        let queue = outbox.queue();
        assert_eq!((queue.at, queue.small.len()), (0, COMPACT));
        outbox.frame(&[2; 9], &[]);
        outbox.stamp(Stamp(-1));
        assert_eq!(outbox.lend().0[COMPACT - 1..], [&[1, 2][..], &[0xFF; 8]].concat());
    }

    /// Truncation removes all after the mark and nothing else, with large payloads on both sides, partly sent or not.
    #[test]
    fn truncate_takes_back_to_the_mark() {
        for sent in [0, 1, 3, 4, LARGE, LARGE + 3] {
            for before in [1, LARGE] {
                let mut outbox = Outbox::default();
                small(&mut outbox, b"abc");
                outbox.payload(&vec![b'x'; before]);
                outbox.begin(1);
                let (_, mark) = outbox.first_unsent().expect("it has begun");
                outbox.frame(b"gone, and a stamp", &[]);
                outbox.payload(&[b'y'; LARGE]);
                let sent = sent.min(3 + before);
                let mut left = sent;
                while left > 0 {
                    let (header, payload) = outbox.lend();
                    let count = left.min(header.len() + payload.len());
                    outbox.consume(count);
                    left -= count;
                }
                outbox.truncate(mark);
                outbox.stamp(Stamp(-1));
                small(&mut outbox, b"end");
                let whole = [b"abc".to_vec(), vec![b'x'; before], b"end".to_vec()].concat();
                assert_eq!(drain(&mut outbox, usize::MAX), whole[sent..], "{sent} of {before} + 3 sent");
            }
        }
    }

    #[test]
    fn a_cleared_queue_goes_on() {
        let mut outbox = Outbox::default();
        small(&mut outbox, b"abc");
        outbox.consume(1);
        outbox.clear();
        assert_eq!((outbox.waiting(), outbox.sent()), (0, 1));
        small(&mut outbox, b"d");
        assert_eq!(drain(&mut outbox, 1), b"d");
        assert_eq!(outbox.sent(), 2);
    }
}
