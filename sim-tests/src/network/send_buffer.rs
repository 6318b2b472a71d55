//! What waits in the kernel of a sender whose peer reads slowly.

use crate::support::Millis;
use std::collections::VecDeque;

/// Milliseconds between two reads of a slow reader.
pub(crate) const READ_INTERVAL: Millis = 10;

/// Packets that a sender's kernel has accepted and the peer has not read.
#[derive(Debug, Default)]
pub(super) struct SendBuffer {
    pub(super) waiting: VecDeque<Waiting>,
    /// Bytes that were ever written.
    pub(super) written: usize,
}

/// A packet that leaves byte by byte. Times are in microseconds, so that rounding does not make many small packets
/// slower than a large one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    begins: u64,
    leaves: u64,
    size: usize,
    /// Bytes that were written up to the end of this packet.
    end: usize,
}

const MICROS: u64 = 1000;

impl SendBuffer {
    /// Adds a packet that is written at `now`. Returns when its last byte leaves.
    pub(super) fn push(&mut self, now: Millis, size: usize, takes: usize) -> Millis {
        if takes == 0 {
            return now;
        }
        let now = now.saturating_mul(MICROS);
        let begins = self.waiting.back().map_or(now, |last| now.max(last.leaves));
        let leaves = begins.saturating_add((size as u64 * READ_INTERVAL * MICROS).div_ceil(takes as u64));
        self.written += size;
        self.waiting.push_back(Waiting { begins, leaves, size, end: self.written });
        leaves.div_ceil(MICROS)
    }

    /// Removes the packets that have left by `now`.
    pub(super) fn pass(&mut self, now: Millis) {
        while self.waiting.front().is_some_and(|first| first.leaves <= now.saturating_mul(MICROS)) {
            self.waiting.pop_front();
        }
    }

    /// Whether, at `now`, the first bytes of a packet have left and its last byte has not.
    pub(super) fn is_leaving(&self, now: Millis) -> bool {
        self.first(now).is_some_and(|packet| packet.begins < now.saturating_mul(MICROS))
    }

    /// The first packet whose last byte has not left at `now`.
    pub(super) fn first(&self, now: Millis) -> Option<&Waiting> {
        let now = now.saturating_mul(MICROS);
        self.waiting.get(self.waiting.partition_point(|packet| packet.leaves <= now))
    }

    /// Bytes that have not left at `now`. A packet that is being read counts with its rest.
    pub(super) fn left(&self, now: Millis, takes: usize) -> usize {
        let Some(packet) = self.first(now) else { return 0 };
        let time = packet.leaves - now.saturating_mul(MICROS);
        let rest = (time as usize).saturating_mul(takes).div_ceil((READ_INTERVAL * MICROS) as usize);
        self.written - packet.end + rest.min(packet.size)
    }
}
