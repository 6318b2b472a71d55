//! One connection of a server, from its first byte to its end.

use crate::calls::Calls;
use crate::driver::Driver;
use crate::phase::{CurrentPhase, Phase};
use crate::server_config::Ended;
use crate::service::Service;
use crate::transport::Transport;
use echo_core::{CloseReason, End, Event, Outcome};
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::oneshot;
use tracing::{debug, info, warn};

/// A connection of a server.
pub(crate) struct Conversation<T, S> {
    pub(crate) driver: Driver<T>,
    /// The calls of a server that does not echo.
    pub(crate) calls: Option<Box<Calls<S>>>,
    pub(crate) number: u64,
    /// The phase it has acted on.
    pub(crate) phase: Phase,
    pub(crate) close_reason: Arc<CloseReason>,
    /// A refusal: becomes ready when another connection needs its place.
    pub(crate) hurried: Option<oneshot::Receiver<()>>,
    pub(crate) hurrying: bool,
}

impl<T: Transport, S: Service> Conversation<T, S> {
    fn poll(&mut self, cx: &mut Context<'_>, current_phase: &CurrentPhase) -> Poll<Outcome> {
        loop {
            // Received input is answered before the client is asked to leave.
            if let Poll::Ready(outcome) = self.poll_driver(cx) {
                return Poll::Ready(outcome);
            }
            if let Some(calls) = &mut self.calls
                && calls.poll_answers(cx, &mut self.driver)
            {
                continue;
            }
            let phase = current_phase.get();
            if phase > self.phase {
                self.phase = phase;
                if phase == Phase::Aborting {
                    self.driver.abort();
                } else {
                    self.driver.leave(CloseReason::clone(&self.close_reason));
                }
                continue;
            }
            if let Some(hurried) = &mut self.hurried
                && let Poll::Ready(order) = Pin::new(hurried).poll(cx)
            {
                self.hurried = None;
                self.hurrying = order.is_ok();
            }
            // Poll again while there are waits to cut short.
            if !self.hurrying || !self.driver.hurry() {
                return Poll::Pending;
            }
        }
    }

    /// Polls the driver, and begins the calls for the requests that came.
    fn poll_driver(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        let Self { driver, calls, number, .. } = self;
        let Some(calls) = calls else { return driver.poll(cx, &mut |event| log_step(*number, &event)) };
        loop {
            let held = calls.held();
            driver.hold(held);
            let polled = driver.poll(cx, &mut |event| {
                if let Event::Request { seq, payload } = event {
                    calls.begin(seq, payload.to_vec());
                } else {
                    log_step(*number, &event);
                }
            });
            while let Some((seq, message)) = driver.take_cut_off() {
                calls.begin(seq, message);
            }
            // The driver looks whether there is memory for what the calls hold.
            if polled.is_ready() || calls.held() <= held {
                return polled;
            }
        }
    }
}

impl<T, S> Drop for Conversation<T, S> {
    /// Names the connection whose task panics: the server cannot tell which one it was.
    fn drop(&mut self) {
        if std::thread::panicking() {
            warn!(connection = self.number, "the task of connection {} failed", self.number);
        }
    }
}

/// Runs a connection from its first byte to its end.
///
/// It is no async function, which would hold the conversation twice, as argument and as variable.
pub(crate) fn converse<T: Transport, S: Service>(
    mut conversation: Conversation<T, S>,
    peer: impl fmt::Display,
    current_phase: Arc<CurrentPhase>,
) -> impl Future<Output = Ended> {
    let refused = conversation.hurried.is_some();
    async move {
        let mut next = pin!(current_phase.after(Phase::Serving));
        let mut seen = Phase::Serving;
        let mut is_awaited = false;
        let outcome = poll_fn(|cx| {
            loop {
                if let Poll::Ready(outcome) = conversation.poll(cx, &current_phase) {
                    return Poll::Ready(outcome);
                }
                if conversation.phase > seen {
                    seen = conversation.phase;
                    next.set(current_phase.after(seen));
                    is_awaited = false;
                } else if std::mem::replace(&mut is_awaited, true) || next.as_mut().poll(cx).is_pending() {
                    // One poll for each phase is enough, for the waker of a task stays the same. Each poll takes a lock
                    // that all connections share.
                    return Poll::Pending;
                }
            }
        })
        .await;
        let (number, driver) = (conversation.number, &conversation.driver);
        let ended = Ended {
            number,
            peer: peer.to_string(),
            refused,
            outcome,
            traffic: driver.connection().traffic(),
            duration: driver.age(),
        };
        log_end(&ended);
        ended
    }
}

/// Logs the end of a connection. An end that may have lost something is a warning.
fn log_end(Ended { number, peer, outcome, traffic, .. }: &Ended) {
    match &outcome.end {
        End::Clean(_) => info!(connection = number, "connection {number} from {peer} ends: {outcome}"),
        // The plain wire has no acknowledgement: whether the answers arrive is unknown.
        End::Unproven => {
            let (began, answered) = (outcome.began, traffic.messages);
            info!(
                connection = number,
                "connection {number} from {peer} ends: unproven, begun by {began}; {answered} answered, delivery unknown"
            );
        }
        End::Failed { .. }
        | End::Truncated
        | End::UnexpectedEof
        | End::Reset
        | End::TimedOut(_)
        | End::Violation(_) => {
            warn!(connection = number, "connection {number} from {peer} ends: {outcome}");
        }
    }
}

fn log_step(number: u64, event: &Event<'_>) {
    macro_rules! log {
        ($($step:tt)+) => { debug!(connection = number, "connection {number}: {}", format_args!($($step)+)) };
    }
    match event {
        Event::Greeted { .. } => log!("the client sent its preface"),
        Event::Leaving(close_reason) => log!("the client sent GOAWAY: {}", shown(close_reason)),
        Event::Close(close_reason) => log!("the client sent CLOSE: {}", shown(close_reason)),
        Event::Discarded => log!("input after the end is discarded"),
        Event::Request { .. } | Event::Reply(_) | Event::Failed { .. } | Event::Text(_) => (),
    }
}

/// Returns the code and the reason. The reason comes from the peer, so it is quoted.
fn shown(close_reason: &CloseReason) -> String {
    format!("{}, reason {:?}", close_reason.code, close_reason.text)
}
