//! The alarm: one timer for whichever deadline is next.

use super::Driver;
use crate::transport::Transport;
use std::future::Future;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::sleep_until;

/// The first alarm rings at the latest after this time. The deadlines of an ending are longer, so a conversation that is
/// shorter sets one alarm and never moves it: an alarm that becomes the earliest of all costs a system call.
const FIRST: Duration = Duration::from_secs(1);

impl<T: Transport> Driver<T> {
    /// Ready when `due` is reached, the time of the next deadline.
    pub(super) fn poll_alarm(&mut self, cx: &mut Context<'_>, due: Option<Duration>) -> Poll<()> {
        let Some(at) = due.and_then(|due| self.timeline.at(due)) else { return Poll::Pending };
        let alarm = match &mut self.alarm {
            Some(alarm) => alarm,
            None => {
                let first = self.timeline.at(self.now + FIRST).map_or(at, |first| at.min(first));
                self.alarm.insert(Box::pin(sleep_until(first)))
            }
        };
        // Most deadlines move on with each message: the alarm stays, and moves only when it rings.
        while at < alarm.deadline() || alarm.as_mut().poll(cx).is_ready() {
            if alarm.deadline() == at {
                return Poll::Ready(());
            }
            alarm.as_mut().reset(at);
        }
        if let Some(stream) = &self.stream {
            stream.waits_until(alarm.deadline());
        }
        Poll::Pending
    }
}
