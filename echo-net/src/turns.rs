//! Shares a server's time among its connections.
//!
//! A runtime runs its tasks in turn, so a task that does much per poll delays all others. Here a connection that has
//! used its share waits in a queue, and only a few of that queue run at once. So a connection with little work finds a
//! short run queue.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

/// The work that a connection may do in each [`PERIOD`] without queueing, and in each turn after queueing: bytes
/// handled, plus [`STEP`] for each read and each message, or less for a message that is one of a batch. It is 128 KiB,
/// or 256 single messages: about 100 µs.
const SHARE: u32 = 128 * 1024;
/// Cost of a read, a batch or a single message, in addition to its bytes.
const STEP: usize = 512;
/// Cost of a message of a batch, in addition to its bytes.
const BATCHED: usize = 64;
/// A share is refilled without queueing at most once in this time.
const PERIOD: Duration = Duration::from_millis(100);

/// The queue of a server.
#[derive(Clone, Debug)]
pub(crate) struct Turns(Arc<Semaphore>);

impl Turns {
    /// Creates a queue. Two turns at once for each thread keep all threads busy.
    pub(crate) fn new(threads: usize) -> Self {
        Self(Arc::new(Semaphore::new(2 * threads)))
    }

    pub(crate) fn share(&self) -> Share {
        Share { line: Some(self.clone()), ..Share::default() }
    }
}

/// What is left of one connection's share. The default has no queue: it only yields to other tasks.
pub(crate) struct Share {
    line: Option<Turns>,
    left: u32,
    /// When the share was last refilled, in nanoseconds.
    refilled: u64,
    place: Place,
}

enum Place {
    Out,
    InLine(Pin<Box<dyn Future<Output = Result<OwnedSemaphorePermit, AcquireError>> + Send>>),
    Turn(#[expect(dead_code, reason = "dropping it ends the turn")] Option<OwnedSemaphorePermit>),
}

impl Default for Share {
    fn default() -> Self {
        Self { line: None, left: SHARE, refilled: 0, place: Place::Out }
    }
}

impl Share {
    /// Ready if part of the share is left, at once or after queueing.
    pub(crate) fn poll_turn(&mut self, cx: &mut Context<'_>, now: Duration) -> Poll<()> {
        if let Place::InLine(turn) = &mut self.place {
            let Poll::Ready(permit) = turn.as_mut().poll(cx) else { return Poll::Pending };
            // The semaphore is never closed. If it were, there would be no queue.
            self.place = Place::Turn(permit.ok());
            self.refill(now);
            // tokio wakes the holder of a new permit ahead of the run queue. This moves it to the end.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.left > 0 {
            return Poll::Ready(());
        }
        match &self.line {
            Some(Turns(line)) if !self.is_due(now) => {
                self.place = Place::InLine(Box::pin(line.clone().acquire_owned()));
                self.poll_turn(cx, now)
            }
            Some(_) => {
                self.refill(now);
                Poll::Ready(())
            }
            None => {
                self.refill(now);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }

    /// Counts a read or a message and its bytes.
    pub(crate) fn spend(&mut self, bytes: usize) {
        let cost = u32::try_from(bytes + STEP).unwrap_or(u32::MAX);
        self.left = self.left.saturating_sub(cost);
    }

    /// Counts `count` messages that were handled as one batch, and their bytes.
    pub(crate) fn spend_batch(&mut self, count: u64, bytes: usize) {
        let each = usize::try_from(count).unwrap_or(usize::MAX).saturating_mul(BATCHED);
        self.spend(bytes.saturating_add(each));
    }

    pub(crate) fn is_spent(&self) -> bool {
        self.left == 0
    }

    /// Notes that there is nothing to do.
    pub(crate) fn rest(&mut self, now: Duration) {
        self.place = Place::Out;
        if self.is_due(now) {
            self.refill(now);
        }
    }

    fn refill(&mut self, now: Duration) {
        self.left = SHARE;
        self.refilled = nanos(now);
    }

    /// Returns whether the share is refilled without queueing.
    fn is_due(&self, now: Duration) -> bool {
        nanos(now) >= self.refilled.saturating_add(nanos(PERIOD))
    }
}

/// Returns whole nanoseconds, up to 584 years.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
