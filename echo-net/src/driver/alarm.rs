//! The alarm: one timer for whichever deadline is next.

use super::Driver;
use crate::clock::Timeline;
use crate::transport::Transport;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::task::coop::has_budget_remaining;
use tokio::time::{Sleep, sleep_until};

/// The first alarm rings at the latest after this time. The deadlines of an ending are longer, so a conversation that is
/// shorter sets one alarm and never moves it: an alarm that becomes the earliest of all costs a system call.
const FIRST: Duration = Duration::from_secs(1);

impl<T: Transport> Driver<T> {
    /// Ready when `due` is reached, the time of the next deadline.
    pub(super) fn poll_alarm(&mut self, cx: &mut Context<'_>, due: Option<Duration>) -> Poll<()> {
        let Some(due) = due else { return Poll::Pending };
        let alarm = match &mut self.alarm {
            Some(alarm) => alarm,
            // A deadline that is out of tokio's range never passes.
            None => match Alarm::new(&self.timeline, due.min(self.now + FIRST)) {
                Some(alarm) => self.alarm.insert(alarm),
                None => return Poll::Pending,
            },
        };
        let rings = alarm.poll(cx, &self.timeline, self.now, due);
        if rings.is_pending()
            && let Some(stream) = &self.stream
        {
            stream.waits_until(alarm.sleep.deadline());
        }
        rings
    }
}

/// Wakes the task for the next deadline.
pub(super) struct Alarm {
    sleep: Pin<Box<Sleep>>,
    /// When it rings.
    at: Duration,
    /// Whom it wakes. `None` if it has rung.
    waker: Option<Waker>,
}

impl Alarm {
    fn new(timeline: &Timeline, due: Duration) -> Option<Self> {
        Some(Self { sleep: Box::pin(sleep_until(timeline.at(due)?)), at: due, waker: None })
    }

    /// Ready when `due` is reached.
    fn poll(&mut self, cx: &mut Context<'_>, timeline: &Timeline, now: Duration, due: Duration) -> Poll<()> {
        // Most deadlines move on with each message: the alarm stays, and moves only when it rings.
        let waits = now < self.at && self.at <= due;
        if waits && self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            return Poll::Pending;
        }
        while due < self.at || self.sleep.as_mut().poll(cx).is_ready() {
            self.waker = None;
            if due == self.at {
                return Poll::Ready(());
            }
            let Some(at) = timeline.at(due) else { return Poll::Pending };
            self.sleep.as_mut().reset(at);
            self.at = due;
        }
        // A task without budget left is told to wait whatever it polls, and the alarm is not set.
        self.waker = has_budget_remaining().then(|| cx.waker().clone());
        Poll::Pending
    }
}
