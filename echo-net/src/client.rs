//! The client: a handle that can be cloned, requests in a row over one connection, and one outcome.

use crate::clock::Clock;
use crate::connect::{ConnectError, connect_tcp};
use crate::driver::Driver;
use crate::transport::Transport;
use echo_core::close::HalfState;
use echo_core::{CloseReason, Config, Connection, Event, Fate, Outcome, Stamps};
use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::net::ToSocketAddrs;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio::time::Instant;

/// So many requests may wait in the queue before whoever adds one has to wait until it is taken.
const QUEUE: usize = 16;
/// Requests that wait for their answers: no more is sent until the server has answered some.
const UNANSWERED: usize = 64 * 1024;

/// The settings of a client.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClientConfig {
    /// What the connection is told.
    pub connection: Config,
    /// Where the time comes from.
    pub clock: Clock,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The request's number on this connection.
    pub seq: u64,
    /// The message, come back.
    pub payload: Vec<u8>,
    /// t1–t4, and from them [`delay`](Stamps::delay) and [`offset`](Stamps::offset), in nanoseconds.
    pub stamps: Stamps,
}

/// Why a request has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// The server never ran it: safe to send again elsewhere.
    Refused,
    /// It may have run.
    Unknown,
    /// The payload is longer than the limit; nothing was sent.
    TooBig {
        /// Its length in bytes.
        len: usize,
        /// The limit in bytes.
        limit: usize,
    },
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => write!(f, "the request was refused: the conversation has ended, and it never ran"),
            Self::Unknown => write!(f, "the conversation ended before the answer: the request may have run"),
            Self::TooBig { len, limit } => write!(f, "a message of {len} bytes is over the limit of {limit}"),
        }
    }
}

impl std::error::Error for RequestError {}

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

/// A place in the queue, or what tells whoever waits for one that the request was taken out of it.
enum Place {
    Queued(#[expect(dead_code, reason = "free when it is dropped")] OwnedSemaphorePermit),
    Beyond(oneshot::Sender<()>),
}

/// How far a conversation has come, as the handles see it.
#[derive(Clone, Debug, Default)]
struct Progress {
    /// The server's preface was read.
    greeted: bool,
    /// The server has said GOAWAY.
    leaving: Option<CloseReason>,
    outcome: Option<Outcome>,
}

/// A conversation on the framed wire. Clones share it.
///
/// Requests may be made at once, by any clone: they go out in order over the one connection and are answered in
/// order. A request is made when its future is polled first; dropping the future later changes nothing for the
/// request, which is in the account like every other.
///
/// When the last handle is dropped without [`close`](Client::close), the conversation is closed politely in the
/// background, within its deadlines, if the runtime lives so long; nobody learns the outcome.
#[derive(Clone, Debug)]
pub struct Client {
    wishes: mpsc::UnboundedSender<Command>,
    queue: Arc<Semaphore>,
    abort: watch::Sender<bool>,
    progress: watch::Receiver<Progress>,
}

impl Client {
    /// Connects by TCP to the first of the resolved addresses that accepts, and waits for the server's preface.
    ///
    /// # Errors
    /// [`ConnectError`]: the name does not resolve, no address accepts, the connect deadline passes, or what answers
    /// is no echo/1 server.
    pub async fn connect(address: impl ToSocketAddrs, config: ClientConfig) -> Result<Self, ConnectError> {
        let began = Instant::now();
        let whole = config.connection.deadlines.connect;
        let stream = connect_tcp(address, whole).await?;
        let mut config = config;
        config.connection.deadlines.connect = whole.saturating_sub(began.elapsed());
        let client = Self::start(stream, config);
        client.greeted().await.map_err(ConnectError::Ended)?;
        Ok(client)
    }

    /// Begins a conversation on a connected stream. Must be called in a tokio runtime, which runs it as a task.
    pub fn start<T: Transport>(stream: T, config: ClientConfig) -> Self {
        let driver = Driver::new(stream, config.clock, config.connection, Connection::client);
        let (wishes, inbox) = mpsc::unbounded_channel();
        let (abort, aborted) = watch::channel(false);
        let (report, progress) = watch::channel(Progress::default());
        tokio::spawn(Conversation { driver, inbox, handles: true, waiting: BTreeMap::new(), report }.run(aborted));
        Self { wishes, queue: Arc::new(Semaphore::new(QUEUE)), abort, progress }
    }

    /// Sends `payload` and waits for its answer. With many requests under way this waits for its turn first.
    ///
    /// # Errors
    /// [`RequestError`]: the message is too long, or the conversation ended before the answer.
    pub async fn request(&self, payload: impl Into<Vec<u8>>) -> Result<Answer, RequestError> {
        self.submit(payload).await?.answer().await
    }

    /// Queues `payload` and gives a token for its answer, so that the next request can follow at once. Waits while
    /// the queue is full: the server has to take some first. Who gives up that wait, as a timeout does, gives up the
    /// answer, and not the request: it stays in the queue.
    ///
    /// # Errors
    /// [`RequestError::Refused`] if the conversation has ended.
    pub async fn submit(&self, payload: impl Into<Vec<u8>>) -> Result<Pending, RequestError> {
        let (answered, answer) = oneshot::channel();
        let (taken, is_taken) = oneshot::channel();
        let place = self.queue.clone().try_acquire_owned().map_or(Place::Beyond(taken), Place::Queued);
        let beyond = matches!(place, Place::Beyond(_));
        let request = Request { payload: payload.into(), answered, place };
        self.wishes.send(Command::Request(request)).map_err(|_| RequestError::Refused)?;
        if beyond {
            // However it is taken, and if it never is: what became of it, its answer tells.
            let _ = is_taken.await;
        }
        Ok(Pending(answer))
    }

    /// Ends the conversation politely: what was submitted before is sent, the answers come, and both sides say their
    /// CLOSE frames, all within the deadlines (answers later than the drain deadline do not count any more). The ending
    /// begins when the requests submitted before have been taken. Gives the outcome with the account; concurrent and
    /// later calls get the same.
    pub async fn close(&self) -> Outcome {
        // If the conversation has ended already, nobody takes the wish, and the outcome is there.
        let _ = self.wishes.send(Command::Close);
        self.ended().await
    }

    /// Ends the conversation at once, by RST: requests without an answer are unknown.
    pub fn abort(&self) {
        self.abort.send_replace(true);
    }

    /// Waits for the end of the conversation, whoever brings it about.
    pub async fn ended(&self) -> Outcome {
        self.see(|progress| progress.outcome.clone()).await.unwrap_or_else(lost_outcome)
    }

    /// Waits until the server wants to leave (its GOAWAY); `None` if the conversation ended without that.
    pub async fn leaving(&self) -> Option<CloseReason> {
        let seen = self.see(|progress| match (&progress.leaving, &progress.outcome) {
            (None, None) => None,
            (leaving, _) => Some(leaving.clone()),
        });
        seen.await.flatten()
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

    /// Waits until `look` finds something; `None` if the task is gone and nothing will come any more.
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

/// The task was dropped with its runtime: as far as anybody knows, the transport was reset by this side.
fn lost_outcome() -> Outcome {
    Outcome { end: echo_core::End::Reset, began: echo_core::Side::Local, account: echo_core::Tally::default() }
}

/// A request on its way: a future of its answer. Dropping it changes nothing for the request.
///
/// It gives a [`RequestError`] if the message was too long, or if the conversation ended before the answer.
#[derive(Debug)]
pub struct Pending(oneshot::Receiver<Result<Answer, RequestError>>);

impl Pending {
    /// Waits for the answer. Dropping this future changes nothing for the request.
    ///
    /// # Errors
    /// [`RequestError`]: the message was too long, or the conversation ended before the answer.
    pub async fn answer(self) -> Result<Answer, RequestError> {
        self.await
    }
}

impl Future for Pending {
    type Output = Result<Answer, RequestError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // The sender is dropped only with its task, by a runtime that ends: then nobody knows.
        Pin::new(&mut self.0).poll(cx).map(|answer| answer.unwrap_or(Err(RequestError::Unknown)))
    }
}

/// The task behind the handles.
struct Conversation<T> {
    driver: Driver<T>,
    inbox: mpsc::UnboundedReceiver<Command>,
    /// Whether there are handles left.
    handles: bool,
    waiting: BTreeMap<u64, Answered>,
    report: watch::Sender<Progress>,
}

impl<T: Transport> Conversation<T> {
    async fn run(mut self, mut aborted: watch::Receiver<bool>) {
        let outcome = {
            // When all handles are gone nobody can abort any more.
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
        self.settle(outcome);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        loop {
            let more = self.take_wishes(cx);
            let Self { driver, waiting, report, .. } = self;
            if let Poll::Ready(outcome) = driver.poll(cx, &mut |event| on_event(event, waiting, report)) {
                return Poll::Ready(outcome);
            }
            // Wishes that were left lying for want of room have no other way to be heard.
            if !more || !self.takes_wishes() {
                return Poll::Pending;
            }
        }
    }

    /// A request must not pile up behind others that wait to be sent. In an ending it is refused at once.
    fn takes_wishes(&self) -> bool {
        let connection = self.driver.connection();
        let room = connection.wants_requests() && self.waiting.len() < UNANSWERED;
        self.handles && (room || connection.machine().sent() != HalfState::Open)
    }

    /// Takes wishes in their order; whether some may be left.
    fn take_wishes(&mut self, cx: &mut Context<'_>) -> bool {
        while self.takes_wishes() {
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
            // Who gave up the wait does not want to know.
            let _ = taken.send(());
        }
    }

    /// Gives everybody their answer, and the outcome last.
    fn settle(mut self, outcome: Outcome) {
        self.inbox.close();
        while let Ok(wish) = self.inbox.try_recv() {
            match wish {
                Command::Request(request) => drop(request.answered.send(Err(RequestError::Refused))),
                Command::Close => (),
            }
        }
        let account = self.driver.connection().machine().account();
        for (seq, answered) in std::mem::take(&mut self.waiting) {
            let error = match account.fate(seq) {
                Fate::Refused => RequestError::Refused,
                Fate::Unknown | Fate::Answered => RequestError::Unknown,
            };
            // Who dropped the future of a request does not want to know.
            drop(answered.send(Err(error)));
        }
        self.report.send_modify(|progress| progress.outcome = Some(outcome));
    }
}

fn refuse(answered: Answered, misuse: echo_core::ApiMisuse) {
    let error = match misuse {
        echo_core::ApiMisuse::TooBig { len, limit } => RequestError::TooBig { len, limit },
        echo_core::ApiMisuse::Ending | echo_core::ApiMisuse::NotAClient => RequestError::Refused,
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
        Event::Request { .. } | Event::Text(_) | Event::Close(_) | Event::Discarded => (),
    }
}
