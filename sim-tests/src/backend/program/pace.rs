//! How fast a program reads.

use crate::network::READ_INTERVAL;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// Lets a program read only so many bytes at a time, and no more until it may.
#[derive(Debug)]
pub(super) struct Pace {
    takes: usize,
    next: Pin<Box<Sleep>>,
}

impl Pace {
    /// `takes` bytes every [`PACE`].
    #[cfg(feature = "packet")]
    pub(super) fn new(takes: usize) -> Self {
        Self { takes, next: Box::pin(tokio::time::sleep_until(Instant::now())) }
    }

    /// How many bytes may be read, once some may.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        // Not all at once: a plain message is over when nothing comes for some milliseconds.
        self.next.as_mut().poll(cx).map(|()| self.takes.div_ceil(READ_INTERVAL as usize))
    }

    /// So many bytes were read.
    pub(super) fn took(&mut self, count: usize) {
        /// A timer is at most so late.
        const TICK: Duration = Duration::from_millis(1);
        if count == 0 {
            return;
        }
        let (now, due) = (Instant::now(), self.next.deadline());
        let from = if due + TICK > now { due } else { now };
        let pause = Duration::from_micros((count as u64 * READ_INTERVAL * 1000).div_ceil(self.takes as u64));
        self.next.as_mut().reset(from + pause);
    }
}
