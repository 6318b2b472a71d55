//! A client that sends what was refused again, on a new connection.

use crate::client::{Answer, Client};
use crate::connect::ConnectError;
use crate::request_error::RequestError;
#[cfg(feature = "tls")]
use crate::tls::TlsError;
use echo_core::{CloseCode, End, Fate, Outcome, Tally};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

/// How often to try. With the defaults, a request to a server that refuses connections is an error after about 5 s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryConfig {
    /// Maximum number of attempts for one request, at least 1. Default 8.
    pub attempts: usize,
    /// Pause after an attempt to connect that failed, or the second refusal in a row. Each further pause is twice as long,
    /// up to 2 s. Default 50 ms.
    pub pause: Duration,
    /// How long a request may take, with all its attempts and pauses. [`Duration::MAX`] (the default) means no limit but
    /// those of the connections ([`Deadlines`](echo_core::Deadlines)).
    pub deadline: Duration,
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self { attempts: 8, pause: Duration::from_millis(50), deadline: Duration::MAX }
    }
}

/// The longest pause.
const LONGEST: Duration = Duration::from_secs(2);

/// A client that reconnects. A request that was *refused* did not run, so it is sent again on a new connection. A request
/// that is *unknown* may have run, so it is never sent again: only its user knows whether it can be. Nor is one that
/// *failed*, with whatever code: that is its answer. Refusals by a server without a free connection are tried again, and
/// so is a peer that ends the connection before it has said what it is. A peer that is no echo/1 server, or whose certificate
/// is not accepted, is an error at once.
///
/// A request that was sent goes on if its future is dropped, by a timeout for example: the next one waits behind it. One
/// that was not, because the client connects or pauses, never runs.
///
/// A request over the server's limit ends the conversation with code 1009, and others on it may be unknown. It is not sent
/// again. Give the client a limit that is no greater than the server's ([`Config::limit`](echo_core::Config::limit)).
///
/// All requests share one connection at a time. `connect` makes it, when it is needed. Clones share it, too.
///
/// ```no_run
/// use echo_net::{Client, ClientConfig, RetryClient, RetryConfig};
///
/// # async fn doc() -> Result<(), echo_net::RetryError> {
/// let connect = || Client::connect("127.0.0.1:2012", ClientConfig::default());
/// let client = RetryClient::new(connect, RetryConfig::default());
/// let answer = client.request("hello").await?;
/// println!("{}", client.account());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RetryClient(Arc<Shared>);

struct Shared {
    connect: Connect,
    config: RetryConfig,
    current: Mutex<Current>,
    /// How many attempts to connect have ended.
    attempts: AtomicU64,
    account: std::sync::Mutex<Tally>,
}

type Connect = Box<dyn Fn() -> Connecting + Send + Sync>;
type Connecting = Pin<Box<dyn Future<Output = Result<Client, ConnectError>> + Send>>;

#[derive(Debug, Default)]
struct Current {
    /// Counts the connections.
    number: u64,
    client: Option<Client>,
    /// The last attempt to connect, if it failed.
    failed: Option<Arc<ConnectError>>,
}

impl fmt::Debug for RetryClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shared { connect: _, config, current, attempts, account } = &*self.0;
        let mut fields = f.debug_struct("RetryClient");
        fields.field("config", config).field("current", current).field("attempts", attempts);
        fields.field("account", account).finish_non_exhaustive()
    }
}

impl RetryClient {
    /// Creates a client. It connects for the first request.
    pub fn new<F>(connect: impl Fn() -> F + Send + Sync + 'static, config: RetryConfig) -> Self
    where
        F: Future<Output = Result<Client, ConnectError>> + Send + 'static,
    {
        let connect = Box::new(move || -> Connecting { Box::pin(connect()) });
        let (current, attempts, account) = Default::default();
        Self(Arc::new(Shared { connect, config, current, attempts, account }))
    }

    /// Sends `payload` and waits for its answer, on as many connections as it takes.
    ///
    /// # Errors
    /// [`RetryError::Request`]: the request is unknown, failed or too long, or was refused by the last attempt, too.
    /// [`RetryError::Connect`]: the last attempt could not connect; the request did not run.
    /// [`RetryError::TimedOut`]: [`RetryConfig::deadline`] has passed.
    pub async fn request(&self, payload: impl Into<Vec<u8>>) -> Result<Answer, RetryError> {
        let limit = self.0.config.deadline;
        let mut open = Open { account: &self.0.account, fate: Fate::Refused, last: None };
        let result = match timeout(limit, self.try_often(payload.into(), &mut open)).await {
            Ok(result) => result,
            Err(_) => Err(RetryError::TimedOut { limit, fate: open.fate, last: open.last.take().map(Box::new) }),
        };
        open.end(match &result {
            Ok(_) | Err(RetryError::Request(RequestError::Failed(_))) => Fate::Answered,
            Err(RetryError::Request(RequestError::Unknown { .. })) => Fate::Unknown,
            Err(RetryError::Request(RequestError::Refused { .. } | RequestError::TooBig { .. }))
            | Err(RetryError::Connect(_)) => Fate::Refused,
            Err(RetryError::TimedOut { fate, .. }) => *fate,
        });
        result
    }

    async fn try_often(&self, payload: Vec<u8>, open: &mut Open<'_>) -> Result<Answer, RetryError> {
        let config = self.0.config;
        let mut pause = config.pause;
        let mut attempt = 0;
        loop {
            attempt += 1;
            let is_last = attempt >= config.attempts;
            let error = match self.client().await {
                Ok((number, client)) => {
                    // From here on it may run, until it is known that it did not.
                    open.fate = Fate::Unknown;
                    match client.request(payload.clone()).await {
                        Err(RequestError::Refused { mut outcome }) => {
                            open.fate = Fate::Refused;
                            self.give_up(number).await;
                            if outcome.is_none() && is_last {
                                // The user has no client that could tell why.
                                outcome = Some(client.ended().await);
                            }
                            RetryError::Request(RequestError::Refused { outcome })
                        }
                        answer => return answer.map_err(RetryError::Request),
                    }
                }
                Err(error) => RetryError::Connect(error),
            };
            if is_last || error.is_lasting() {
                return Err(error);
            }
            let is_connect = matches!(error, RetryError::Connect(_));
            open.last = Some(error);
            // A server that drains refuses; its successor may be there already.
            if attempt > 1 || is_connect {
                sleep(pause).await;
                pause = (2 * pause).min(LONGEST.max(config.pause));
            }
        }
    }

    /// Returns how the requests ended, over all connections. Each counts once, however often it was sent: *answered*, with
    /// a failure perhaps, *refused* by the last attempt or never sent, or *unknown*, as is one whose future was dropped after
    /// it was sent.
    pub fn account(&self) -> Tally {
        *self.0.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes the present connection politely, if there is one, and returns how it ended. It waits for answers no longer
    /// than the drain deadline (4 s); requests without one are unknown then. A further request makes a new
    /// one.
    pub async fn close(&self) -> Option<Outcome> {
        let client = self.0.current.lock().await.client.take()?;
        Some(client.close().await)
    }

    /// Returns the present connection and its number. Those who wait for an attempt to connect share its result.
    async fn client(&self) -> Result<(u64, Client), Arc<ConnectError>> {
        let attempts = self.0.attempts.load(Ordering::Acquire);
        let mut current = self.0.current.lock().await;
        if let Some(client) = current.client.as_ref().filter(|client| client.is_open()) {
            return Ok((current.number, client.clone()));
        }
        if let Some(error) = &current.failed
            && self.0.attempts.load(Ordering::Acquire) != attempts
        {
            return Err(error.clone());
        }
        let connected = (self.0.connect)().await;
        self.0.attempts.fetch_add(1, Ordering::Release);
        current.number += 1;
        match connected {
            Ok(client) => {
                (current.client, current.failed) = (Some(client.clone()), None);
                Ok((current.number, client))
            }
            Err(error) => {
                let error = Arc::new(error);
                (current.client, current.failed) = (None, Some(error.clone()));
                Err(error)
            }
        }
    }

    /// Uses connection `number` no more. It still gets the answers to what it took, and closes.
    async fn give_up(&self, number: u64) {
        let mut current = self.0.current.lock().await;
        if current.number == number {
            current.client = None;
        }
    }
}

/// A request that has not ended. It counts with its fate so far if it is dropped.
struct Open<'a> {
    account: &'a std::sync::Mutex<Tally>,
    fate: Fate,
    /// What its last attempt came to.
    last: Option<RetryError>,
}

impl Open<'_> {
    fn end(mut self, fate: Fate) {
        self.fate = fate;
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let mut account = self.account.lock().unwrap_or_else(PoisonError::into_inner);
        match self.fate {
            Fate::Answered => account.answered += 1,
            Fate::Refused => account.refused += 1,
            Fate::Unknown => account.unknown += 1,
        }
    }
}

/// Why a request has no answer, after all attempts.
#[derive(Debug)]
#[non_exhaustive]
pub enum RetryError {
    /// What the last attempt came to.
    Request(RequestError),
    /// The last attempt could not connect. The request did not run.
    Connect(Arc<ConnectError>),
    /// The request has no answer within its deadline.
    TimedOut {
        /// The deadline.
        limit: Duration,
        /// Refused if it did not run, unknown if it may have run.
        fate: Fate,
        /// What the last attempt before came to.
        last: Option<Box<RetryError>>,
    },
}

impl RetryError {
    /// Returns whether a further attempt would fail, too: the peer is no echo/1 server, or not the one that is meant, or
    /// the request is over its limit.
    fn is_lasting(&self) -> bool {
        match self {
            Self::Request(RequestError::Refused { outcome: Some(Outcome { end: End::Failed { code, .. }, .. }) }) => {
                *code == CloseCode::TOO_BIG
            }
            Self::Request(_) | Self::TimedOut { .. } => false,
            Self::Connect(error) => match &**error {
                ConnectError::Ended(outcome) => matches!(outcome.end, End::Violation(_)),
                #[cfg(feature = "tls")]
                ConnectError::Tls(TlsError::Certificate(_) | TlsError::NotTls(_)) => true,
                _ => false,
            },
        }
    }
}

impl fmt::Display for RetryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(error) => error.fmt(f),
            Self::Connect(error) => write!(f, "the request did not run: {error}"),
            Self::TimedOut { limit, fate, last } => {
                let ran = if *fate == Fate::Refused { "did not run" } else { "may have run" };
                write!(f, "the request {ran}: no answer within {limit:?}")?;
                match last.as_deref() {
                    // It says nothing twice.
                    Some(Self::Connect(error)) => write!(f, "; the attempt before: {error}"),
                    Some(last) => write!(f, "; the attempt before: {last}"),
                    None => Ok(()),
                }
            }
        }
    }
}

impl std::error::Error for RetryError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // Their own texts are parts of this one's.
        match self {
            Self::Request(error) => error.source(),
            Self::Connect(error) => error.source(),
            Self::TimedOut { .. } => None,
        }
    }
}
