//! How the connections of a server share its time.
//!
//! A runtime takes its tasks in turn, so whoever does much in each turn makes everybody wait. Here a connection that
//! has done its share waits in line with the others that have, and only a few of that line are in the runtime's queue
//! at once: who asks little finds that queue short.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

/// What a connection may do in each [`PERIOD`] without standing in line, and in each turn that it has stood in line
/// for: bytes taken in, and [`STEP`] for each read and each message. That is 128 KiB, or 256 messages: some 100 µs.
const SHARE: usize = 128 * 1024;
/// What a read or a message counts for, whatever its length.
const STEP: usize = 512;
/// A connection that has been at rest for so long has its whole share again.
const PERIOD: Duration = Duration::from_millis(100);

/// The line of a server.
#[derive(Clone, Debug)]
pub(crate) struct Turns(Arc<Semaphore>);

impl Turns {
    /// For the runtime that calls it: two turns under way for each of its threads keep them all at work.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(2 * tokio::runtime::Handle::current().metrics().num_workers())))
    }

    pub(crate) fn share(&self) -> Share {
        Share { line: Some(self.clone()), ..Share::default() }
    }
}

/// What one connection has done of its share. The default stands in no line: it only lets others go first.
pub(crate) struct Share {
    line: Option<Turns>,
    left: usize,
    /// When the share was last whole.
    whole: Duration,
    place: Place,
}

enum Place {
    Out,
    InLine(Pin<Box<dyn Future<Output = Result<OwnedSemaphorePermit, AcquireError>> + Send>>),
    Turn(#[expect(dead_code, reason = "held until it is dropped")] Option<OwnedSemaphorePermit>),
}

impl Default for Share {
    fn default() -> Self {
        Self { line: None, left: SHARE, whole: Duration::ZERO, place: Place::Out }
    }
}

impl Share {
    /// Ready when something of the share is left, at once or after standing in line.
    pub(crate) fn poll_turn(&mut self, cx: &mut Context<'_>, now: Duration) -> Poll<()> {
        if let Place::InLine(turn) = &mut self.place {
            let Poll::Ready(permit) = turn.as_mut().poll(cx) else { return Poll::Pending };
            // The line is never closed; if it were, there would be none to stand in.
            self.place = Place::Turn(permit.ok());
            self.refill(now);
            // Whoever is given a turn is woken ahead of the runtime's queue, and goes to its end.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.left > 0 {
            return Poll::Ready(());
        }
        match &self.line {
            Some(Turns(line)) if now < self.whole + PERIOD => {
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

    /// A read, or a message, and what it took in.
    pub(crate) fn spend(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes + STEP);
    }

    pub(crate) fn is_spent(&self) -> bool {
        self.left == 0
    }

    /// There is nothing to do.
    pub(crate) fn rest(&mut self, now: Duration) {
        self.place = Place::Out;
        if now >= self.whole + PERIOD {
            self.refill(now);
        }
    }

    fn refill(&mut self, now: Duration) {
        self.left = SHARE;
        self.whole = now;
    }
}
