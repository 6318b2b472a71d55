//! The rate at which a program reads.

use crate::network::READ_INTERVAL;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// Limits how many bytes a program reads at a time, and how soon it reads again.
#[derive(Debug)]
pub(super) struct Pace {
    takes: usize,
    next: Pin<Box<Sleep>>,
}

impl Pace {
    /// Allows `takes` bytes in every [`READ_INTERVAL`].
    #[cfg(feature = "packet")]
    pub(super) fn new(takes: usize) -> Self {
        Self { takes, next: Box::pin(tokio::time::sleep_until(Instant::now())) }
    }

    /// Waits until the program may read. Returns the maximum number of bytes.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        // Small reads with short pauses: a plain message ends when nothing arrives for some milliseconds.
        self.next.as_mut().poll(cx).map(|()| self.takes.div_ceil(READ_INTERVAL as usize))
    }

    /// Counts bytes that were read, and sets the time of the next read.
    pub(super) fn took(&mut self, count: usize) {
        /// Maximum lateness of a timer.
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
