//! The running calls of a connection: each is a task, so one that panics harms no other.

use crate::driver::{Driver, Given};
use crate::server_config::ServerConfig;
use crate::service::{Request, Service};
use crate::transport::Transport;
use echo_core::{CloseCode, Failure};
use std::collections::HashMap;
use std::fmt::Write;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, Sleep, sleep, timeout_at};
use tracing::warn;

/// What all calls of a server share.
#[derive(Debug)]
pub(crate) struct CallLimits {
    /// A place for each call that may run at once.
    places: Semaphore,
    /// The number of places.
    most: usize,
    /// How long one may take, with its wait for a place.
    deadline: Duration,
    /// How long one may go on after the ending has begun.
    ending_deadline: Duration,
    /// Calls that have ended.
    ended: AtomicU64,
    /// Calls that wait for a place.
    waiting: AtomicUsize,
    /// Calls that panicked.
    panicked: AtomicU64,
    /// Requests that failed, those whose call panicked among them.
    failed: AtomicU64,
}

impl CallLimits {
    pub(crate) fn new(config: &ServerConfig) -> Self {
        let most = config.max_calls.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            places: Semaphore::new(most),
            most,
            deadline: config.call_deadline,
            ending_deadline: config.ending_call_deadline,
            ended: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
            panicked: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        }
    }

    /// Returns how many calls run.
    pub(crate) fn running(&self) -> usize {
        self.most.saturating_sub(self.places.available_permits())
    }

    /// Returns how many calls wait for a place.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Returns how many calls have ended.
    pub(crate) fn ended(&self) -> u64 {
        self.ended.load(Ordering::Relaxed)
    }

    /// Returns how many calls panicked, and how many requests failed.
    pub(crate) fn failures(&self) -> (u64, u64) {
        (self.panicked.load(Ordering::Relaxed), self.failed.load(Ordering::Relaxed))
    }

    /// Waits for a place, at most until `due`. Returns it, and how long that took. Only a call that has to wait is counted.
    async fn place(&self, due: Option<Instant>) -> Option<(SemaphorePermit<'_>, Duration)> {
        if let Ok(place) = self.places.try_acquire() {
            return Some((place, Duration::ZERO));
        }
        let _waiting = Waiting::new(&self.waiting);
        let began = Instant::now();
        let place = within(due, self.places.acquire()).await.ok()?.ok()?;
        Some((place, began.elapsed()))
    }
}

/// A call that waits, also if it is dropped meanwhile.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The running calls of one connection.
pub(crate) struct Calls<S> {
    service: Arc<S>,
    limits: Arc<CallLimits>,
    connection: u64,
    peer: Arc<str>,
    tasks: JoinSet<Result<Vec<u8>, Failure>>,
    /// The numbers of the requests, and the lengths of their messages, by task.
    requests: HashMap<Id, (u64, usize)>,
    /// Bytes of the messages that calls hold.
    held: usize,
    /// The deadline of the calls that go on in the ending, once it has begun.
    ending: Option<Pin<Box<Sleep>>>,
}

impl<S: Service> Calls<S> {
    pub(crate) fn new(service: Arc<S>, limits: Arc<CallLimits>, connection: u64, peer: String) -> Self {
        let peer = peer.into();
        let (tasks, requests) = (JoinSet::new(), HashMap::new());
        Self { service, limits, connection, peer, tasks, requests, held: 0, ending: None }
    }

    /// Begins the call for a request.
    pub(crate) fn begin(&mut self, seq: u64, payload: Vec<u8>) {
        let (service, limits) = (self.service.clone(), self.limits.clone());
        let len = payload.len();
        let (connection, peer) = (self.connection, self.peer.clone());
        let request = Request { payload, seq, connection, peer };
        let task = self.tasks.spawn(async move { call(&*service, &limits, request).await });
        self.requests.insert(task.id(), (seq, len));
        self.held += len;
    }

    /// Returns the bytes of the messages that calls hold.
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// Gives the answers of the calls that have ended. Returns whether there was one.
    pub(crate) fn poll_answers<T: Transport>(&mut self, cx: &mut Context<'_>, driver: &mut Driver<T>) -> bool {
        if !self.requests.is_empty() && driver.connection().unanswered().next().is_none() {
            // Nobody can be answered any more.
            self.drop_all();
        }
        let mut is_answered = self.poll_ending(cx, driver);
        while let Poll::Ready(Some(ended)) = self.tasks.poll_join_next_with_id(cx) {
            let (id, answer) = match ended {
                Ok((id, answer)) => (id, answer),
                Err(error) => {
                    self.limits.panicked.fetch_add(1, Ordering::Relaxed);
                    let connection = self.connection;
                    warn!(connection, "a handler of connection {connection} failed: {error}");
                    (error.id(), Err(Failure::new(CloseCode::INTERNAL, "the handler of the request panicked")))
                }
            };
            if let Some((seq, len)) = self.requests.remove(&id) {
                self.held -= len;
                self.limits.ended.fetch_add(1, Ordering::Relaxed);
                if driver.give(seq, answer) == Given::Failure {
                    self.limits.failed.fetch_add(1, Ordering::Relaxed);
                }
                is_answered = true;
            }
        }
        is_answered
    }

    /// Fails the requests whose calls go on for too long in the ending. The others are answered then, before the drain
    /// deadline aborts the connection. Returns whether there were any.
    fn poll_ending<T: Transport>(&mut self, cx: &mut Context<'_>, driver: &mut Driver<T>) -> bool {
        if self.requests.is_empty() || !driver.connection().machine().is_ending() {
            return false;
        }
        let limit = self.limits.ending_deadline;
        let alarm = self.ending.get_or_insert_with(|| Box::pin(sleep(limit)));
        if !alarm.is_elapsed() && alarm.as_mut().poll(cx).is_pending() {
            return false;
        }
        let late = self.drop_all();
        self.limits.failed.fetch_add(late.len() as u64, Ordering::Relaxed);
        for seq in late {
            let reason = format!("the request has no response within {limit:?} of the ending");
            driver.give(seq, Err(Failure::new(CloseCode::INTERNAL, reason)));
        }
        true
    }

    /// Drops all calls. Returns the numbers of their requests, in order.
    fn drop_all(&mut self) -> Vec<u64> {
        self.tasks.abort_all();
        self.tasks.detach_all();
        self.held = 0;
        let mut dropped: Vec<u64> = self.requests.drain().map(|(_, (seq, _))| seq).collect();
        dropped.sort_unstable();
        dropped
    }
}

async fn call<S: Service>(service: &S, limits: &CallLimits, request: Request) -> Result<Vec<u8>, Failure> {
    let now = Instant::now();
    let due = now.checked_add(limits.deadline);
    // Otherwise an overloaded server would begin calls that have no time left, and drop what they have done.
    let longest_wait = limits.deadline / 2;
    let Some((place, waited)) = limits.place(now.checked_add(longest_wait)).await else {
        let reason = format!("the request did not run: the server had no place for it within {longest_wait:?}");
        return Err(Failure::new(CloseCode::TRY_LATER, reason));
    };
    let answer = within(due, service.call(request)).await;
    drop(place);
    match answer {
        Ok(answer) => answer.map(|response| response.payload).map_err(Into::into),
        Err(()) => {
            let mut reason = format!("the request has no response within {:?}", limits.deadline);
            if !waited.is_zero() {
                // Writing to a string cannot fail.
                let _ = write!(reason, ", after it had waited {waited:.0?} for its place");
            }
            Err(Failure::new(CloseCode::INTERNAL, reason))
        }
    }
}

/// Waits for `future` until `due`, if there is a limit.
async fn within<F: Future>(due: Option<Instant>, future: F) -> Result<F::Output, ()> {
    match due {
        Some(due) => timeout_at(due, future).await.map_err(drop),
        None => Ok(future.await),
    }
}
