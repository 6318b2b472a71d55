//! What waits in the kernel of a sender whose peer reads slowly.

use crate::support::Millis;
use std::collections::VecDeque;

/// How often a slow reader takes its bytes, in milliseconds.
pub(crate) const READ_INTERVAL: Millis = 10;

/// What a transport has taken, and the peer has not.
#[derive(Debug, Default)]
pub(super) struct SendBuffer {
    pub(super) waiting: VecDeque<Waiting>,
    /// How many bytes were ever handed over.
    pub(super) written: usize,
}

/// A packet that leaves byte by byte. Times are in microseconds, so that many small packets are no slower than a large
/// one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    begins: u64,
    leaves: u64,
    size: usize,
    /// How many bytes were handed over with it and before it.
    end: usize,
}

const MICROS: u64 = 1000;

impl SendBuffer {
    /// When the last byte of a packet leaves that is handed over at `now`.
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

    /// Forgets what has left by `now`.
    pub(super) fn pass(&mut self, now: Millis) {
        while self.waiting.front().is_some_and(|first| first.leaves <= now.saturating_mul(MICROS)) {
            self.waiting.pop_front();
        }
    }

    /// Whether the first bytes of a packet have left at `now`, and the last has not.
    pub(super) fn is_leaving(&self, now: Millis) -> bool {
        self.first(now).is_some_and(|packet| packet.begins < now.saturating_mul(MICROS))
    }

    /// The first packet that has not left as a whole at `now`.
    pub(super) fn first(&self, now: Millis) -> Option<&Waiting> {
        let now = now.saturating_mul(MICROS);
        self.waiting.get(self.waiting.partition_point(|packet| packet.leaves <= now))
    }

    /// How many bytes are left at `now`, of a packet that is being taken the rest.
    pub(super) fn left(&self, now: Millis, takes: usize) -> usize {
        let Some(packet) = self.first(now) else { return 0 };
        let time = packet.leaves - now.saturating_mul(MICROS);
        let rest = (time as usize).saturating_mul(takes).div_ceil((READ_INTERVAL * MICROS) as usize);
        self.written - packet.end + rest.min(packet.size)
    }
}
