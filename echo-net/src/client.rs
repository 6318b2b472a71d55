//! The client: a handle that can be cloned, pipelined requests over one connection, and one outcome.

use crate::clock::Clock;
use crate::connect::{ConnectError, connect_tcp};
use crate::driver::Driver;
use crate::request_error::RequestError;
use crate::transport::Transport;
use echo_core::close::HalfState;
use echo_core::{CloseReason, Config, Connection, Event, Fate, Outcome, Stamps};
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::net::ToSocketAddrs;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio::time::Instant;

/// Requests that may wait in the queue. A caller that adds one more waits until its request is taken.
const QUEUE: usize = 16;
/// Maximum number of unanswered requests. No more is sent until the server has answered some.
const UNANSWERED: usize = 64 * 1024;

/// The settings of a client.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct ClientConfig {
    /// Settings of the connection.
    pub connection: Config,
    /// The clock.
    pub clock: Clock,
}

impl ClientConfig {
    /// Takes the time since `began` off the connect deadline.
    pub(crate) fn connecting_since(mut self, began: Instant) -> Self {
        let connect = &mut self.connection.deadlines.connect;
        *connect = connect.saturating_sub(began.elapsed());
        self
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The request's number on this connection.
    pub seq: u64,
    /// The answer: of an echo server, the message.
    pub payload: Vec<u8>,
    /// t1 to t4. [`delay`](Stamps::delay) and [`offset`](Stamps::offset) are computed from them, in nanoseconds.
    pub stamps: Stamps,
}

type Answered = oneshot::Sender<Result<Answer, RequestError>>;

enum Command {
    Request(Request),
    Close,
}

struct Request {
    payload: Vec<u8>,
    answered: Answered,
    place: Place,
}

/// A place in the queue. A request beyond the queue has a sender instead, which signals that it was taken.
enum Place {
    Queued(#[expect(dead_code, reason = "dropping it releases the place")] OwnedSemaphorePermit),
    Beyond(oneshot::Sender<()>),
}

/// Progress of a conversation, for the handles.
#[derive(Clone, Debug, Default)]
struct Progress {
    /// The server's preface was read.
    greeted: bool,
    /// The server's GOAWAY was received.
    leaving: Option<CloseReason>,
    outcome: Option<Outcome>,
}

/// A conversation on the framed wire. Clones share it.
///
/// Any clone may make requests concurrently: they are sent in order over the one connection and answered in order. A
/// service of the server's may run them in any order: await an answer before a request that depends on it. A request is made at the first poll of its future. Dropping the future later does not cancel the request; the account
/// includes it.
///
/// If the last handle is dropped without [`close`](Client::close), the conversation closes politely in the background,
/// within its deadlines, while the runtime runs. Its outcome is lost.
#[derive(Clone, Debug)]
pub struct Client {
    commands: mpsc::UnboundedSender<Command>,
    queue: Arc<Semaphore>,
    abort: watch::Sender<bool>,
    progress: watch::Receiver<Progress>,
}

impl Client {
    /// Connects by TCP to the first of the resolved addresses that accepts, and waits for the server's preface.
    ///
    /// # Errors
    /// [`ConnectError`]: the name does not resolve, no address accepts, the connect deadline passes, or the peer is no
    /// echo/1 server.
    pub async fn connect(address: impl ToSocketAddrs, config: ClientConfig) -> Result<Self, ConnectError> {
        let began = Instant::now();
        let stream = connect_tcp(address, config.connection.deadlines.connect).await?;
        Self::greet(stream, config.connecting_since(began)).await
    }

    /// Begins a conversation on a connected stream, and waits for the server's preface within the connect deadline.
    ///
    /// # Panics
    /// If it is not called in a tokio runtime.
    ///
    /// # Errors
    /// [`ConnectError::Ended`]: the conversation ended before the preface, for example because the peer is no echo/1
    /// server.
    pub async fn greet<T: Transport>(stream: T, config: ClientConfig) -> Result<Self, ConnectError> {
        let client = Self::start(stream, config);
        client.greeted().await.map_err(ConnectError::Ended)?;
        Ok(client)
    }

    /// Begins a conversation on a connected stream, as a task.
    ///
    /// # Panics
    /// If it is not called in a tokio runtime.
    pub fn start<T: Transport>(stream: T, config: ClientConfig) -> Self {
        let driver = Driver::new(stream, config.clock, |epoch| Connection::client(config.connection, epoch));
        let (commands, inbox) = mpsc::unbounded_channel();
        let (abort, aborted) = watch::channel(false);
        let (report, progress) = watch::channel(Progress::default());
        tokio::spawn(Conversation { driver, inbox, handles: true, waiting: BTreeMap::new(), report }.run(aborted));
        Self { commands, queue: Arc::new(Semaphore::new(QUEUE)), abort, progress }
    }

    /// Sends `payload` and waits for its answer. It first waits for a place if many requests are unanswered.
    ///
    /// # Errors
    /// [`RequestError`]: the message is too long, the request failed at the server, or the conversation ended before the
    /// answer.
    pub async fn request(&self, payload: impl Into<Vec<u8>>) -> Result<Answer, RequestError> {
        self.submit(payload).await?.answer().await
    }

    /// Queues `payload` and returns a future of its answer, so that the next request can follow at once. Waits while
    /// the queue is full, until the server takes requests. Dropping this future (a timeout, for example) gives up the
    /// answer, not the request: it stays in the queue.
    ///
    /// # Errors
    /// [`RequestError::Refused`]: the conversation has ended.
    pub async fn submit(&self, payload: impl Into<Vec<u8>>) -> Result<Pending, RequestError> {
        let (answered, answer) = oneshot::channel();
        let (taken, is_taken) = oneshot::channel();
        let place = self.queue.clone().try_acquire_owned().map_or(Place::Beyond(taken), Place::Queued);
        let beyond = matches!(place, Place::Beyond(_));
        let request = Request { payload: payload.into(), answered, place };
        self.commands.send(Command::Request(request)).map_err(|_| self.refused())?;
        if beyond {
            // The result does not matter: the answer shows what happened to the request.
            let _ = is_taken.await;
        }
        Ok(Pending(answer))
    }

    /// Ends the conversation politely, within the deadlines: sends what was submitted before, receives the answers, and
    /// exchanges CLOSE frames. Answers after the drain deadline do not count. The ending begins once the requests
    /// submitted before are taken. Returns the outcome with the account, also to concurrent and later calls.
    pub async fn close(&self) -> Outcome {
        // If the conversation has already ended, the send fails and the outcome is there.
        let _ = self.commands.send(Command::Close);
        self.ended().await
    }

    /// Aborts the conversation, by RST: requests without an answer are unknown.
    pub fn abort(&self) {
        self.abort.send_replace(true);
    }

    /// Returns whether the conversation goes on: neither side is known to end it.
    pub fn is_open(&self) -> bool {
        let progress = self.progress.borrow();
        progress.leaving.is_none() && progress.outcome.is_none() && !self.commands.is_closed()
    }

    /// Waits for the end of the conversation, whichever side ends it.
    pub async fn ended(&self) -> Outcome {
        self.see(|progress| progress.outcome.clone()).await.unwrap_or_else(lost_outcome)
    }

    /// Waits for the server's GOAWAY. Returns `None` if the conversation ended without it.
    pub async fn leaving(&self) -> Option<CloseReason> {
        let seen = self.see(|progress| match (&progress.leaving, &progress.outcome) {
            (None, None) => None,
            (leaving, _) => Some(leaving.clone()),
        });
        seen.await.flatten()
    }

    /// The task of the conversation is gone.
    fn refused(&self) -> RequestError {
        RequestError::Refused { outcome: self.progress.borrow().outcome.clone() }
    }

    /// Waits for the server's preface.
    async fn greeted(&self) -> Result<(), Outcome> {
        let seen = self.see(|progress| match (progress.greeted, &progress.outcome) {
            (true, _) => Some(Ok(())),
            (false, Some(outcome)) => Some(Err(outcome.clone())),
            (false, None) => None,
        });
        seen.await.unwrap_or_else(|| Err(lost_outcome()))
    }

    /// Waits until `look` returns something. Returns `None` if the task is gone before that.
    async fn see<T>(&self, look: impl Fn(&Progress) -> Option<T>) -> Option<T> {
        let mut progress = self.progress.clone();
        loop {
            if let Some(found) = look(&progress.borrow_and_update()) {
                return Some(found);
            }
            if progress.changed().await.is_err() {
                return look(&progress.borrow());
            }
        }
    }
}

/// The outcome if the runtime dropped the task: this side reset the transport, as far as it is known.
fn lost_outcome() -> Outcome {
    Outcome { end: echo_core::End::Reset, began: echo_core::Side::Local, account: echo_core::Tally::default() }
}

/// A request in flight: a future of its answer. Dropping it does not cancel the request.
///
/// It resolves to a [`RequestError`] if the message was too long, if the request failed at the server, or if the
/// conversation ended before the answer.
#[derive(Debug)]
pub struct Pending(oneshot::Receiver<Result<Answer, RequestError>>);

impl Pending {
    /// Waits for the answer. Dropping this future does not cancel the request.
    ///
    /// # Errors
    /// [`RequestError`]: the message was too long, the request failed at the server, or the conversation ended before the
    /// answer.
    pub async fn answer(self) -> Result<Answer, RequestError> {
        self.await
    }
}

impl Future for Pending {
    type Output = Result<Answer, RequestError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // The sender is dropped only if the runtime drops the task. Then the request's fate is unknown.
        Pin::new(&mut self.0)
            .poll(cx)
            .map(|answer| answer.unwrap_or_else(|_| Err(RequestError::Unknown { outcome: lost_outcome() })))
    }
}

/// The task of a conversation.
struct Conversation<T> {
    driver: Driver<T>,
    inbox: mpsc::UnboundedReceiver<Command>,
    /// Whether handles are left.
    handles: bool,
    waiting: BTreeMap<u64, Answered>,
    report: watch::Sender<Progress>,
}

impl<T: Transport> Conversation<T> {
    async fn run(mut self, mut aborted: watch::Receiver<bool>) {
        let outcome = {
            // Without handles no abort can follow.
            let abort = async {
                if aborted.wait_for(|aborted| *aborted).await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            tokio::pin!(abort);
            let mut aborting = false;
            poll_fn(|cx| {
                if !aborting && std::future::Future::poll(abort.as_mut(), cx).is_ready() {
                    aborting = true;
                    self.driver.abort();
                }
                self.poll(cx)
            })
            .await
        };
        self.settle(outcome).await;
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        self.driver.wake();
        loop {
            let more = self.take_commands(cx);
            let Self { driver, waiting, report, .. } = self;
            if let Poll::Ready(outcome) = driver.poll(cx, &mut |event| on_event(event, waiting, report)) {
                return Poll::Ready(outcome);
            }
            // Commands left in the queue for lack of room register no waker, so poll again.
            if !more || !self.takes_commands() {
                return Poll::Pending;
            }
        }
    }

    /// Returns whether to take commands. A request must not pile up behind unsent ones. In an ending it is refused at
    /// once.
    fn takes_commands(&self) -> bool {
        let connection = self.driver.connection();
        let room = connection.wants_requests() && self.waiting.len() < UNANSWERED;
        self.handles && (room || connection.machine().sent() != HalfState::Open)
    }

    /// Takes commands in order. Returns whether some may be left.
    fn take_commands(&mut self, cx: &mut Context<'_>) -> bool {
        while self.takes_commands() {
            match self.inbox.poll_recv(cx) {
                Poll::Ready(Some(Command::Request(request))) => self.ask(request),
                Poll::Ready(Some(Command::Close)) => self.driver.leave(CloseReason::normal()),
                Poll::Ready(None) => {
                    self.handles = false;
                    self.driver.leave(CloseReason::normal());
                }
                Poll::Pending => return false,
            }
        }
        self.handles
    }

    fn ask(&mut self, Request { payload, answered, place }: Request) {
        match self.driver.send(&payload) {
            Ok(seq) => {
                self.waiting.insert(seq, answered);
            }
            Err(misuse) => refuse(answered, misuse),
        }
        if let Place::Beyond(taken) = place {
            // The receiver is gone if the caller gave up.
            let _ = taken.send(());
        }
    }

    /// Completes all requests, and then reports the outcome.
    async fn settle(mut self, outcome: Outcome) {
        self.inbox.close();
        // `try_recv` would miss a command that another thread is about to queue: it has found the queue open.
        while let Some(command) = self.inbox.recv().await {
            match command {
                Command::Request(request) => {
                    drop(request.answered.send(Err(RequestError::Refused { outcome: Some(outcome.clone()) })));
                }
                Command::Close => (),
            }
        }
        let account = self.driver.connection().machine().account();
        for (seq, answered) in std::mem::take(&mut self.waiting) {
            let error = match account.fate(seq) {
                Fate::Refused => RequestError::Refused { outcome: Some(outcome.clone()) },
                Fate::Unknown | Fate::Answered => RequestError::Unknown { outcome: outcome.clone() },
            };
            // The receiver is gone if the request's future was dropped.
            drop(answered.send(Err(error)));
        }
        self.report.send_modify(|progress| progress.outcome = Some(outcome));
    }
}

fn refuse(answered: Answered, misuse: echo_core::ApiMisuse) {
    let error = match misuse {
        echo_core::ApiMisuse::TooBig { len, limit } => RequestError::TooBig { len, limit },
        // A misuse that does not exist yet would be one of this crate.
        _ => RequestError::Refused { outcome: None },
    };
    drop(answered.send(Err(error)));
}

fn on_event(event: Event<'_>, waiting: &mut BTreeMap<u64, Answered>, report: &watch::Sender<Progress>) {
    match event {
        Event::Greeted { .. } => report.send_modify(|progress| progress.greeted = true),
        Event::Leaving(close_reason) => report.send_modify(|progress| progress.leaving = Some(close_reason)),
        Event::Reply(reply) => {
            if let Some(answered) = waiting.remove(&reply.seq) {
                let answer = Answer { seq: reply.seq, payload: reply.payload.to_vec(), stamps: reply.stamps };
                drop(answered.send(Ok(answer)));
            }
        }
        Event::Failed { seq, failure, stamps: _ } => {
            if let Some(answered) = waiting.remove(&seq) {
                drop(answered.send(Err(RequestError::Failed(failure))));
            }
        }
        Event::Request { .. } | Event::Text(_) | Event::Close(_) | Event::Discarded => (),
    }
}
