//! A client that sends what was refused again, on a new connection.

use crate::client::{Answer, Client};
use crate::connect::ConnectError;
use crate::request_error::RequestError;
#[cfg(feature = "tls")]
use crate::tls::TlsError;
use echo_core::End;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::sleep;

/// How often to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryConfig {
    /// Maximum number of attempts for one request, at least 1. Default 8.
    pub attempts: usize,
    /// Pause after an attempt to connect that failed, or the second refusal in a row. Each further pause is twice as long,
    /// up to 2 s. Default 50 ms.
    pub pause: Duration,
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self { attempts: 8, pause: Duration::from_millis(50) }
    }
}

/// The longest pause.
const LONGEST: Duration = Duration::from_secs(2);

/// A client that reconnects. A request that was *refused* did not run, so it is sent again on a new connection. A request
/// that is *unknown* may have run, so it is never sent again: only its user knows whether it can be. Nor is one that
/// *failed*, with whatever code: that is its answer. Refusals by a server without a free connection are tried again; a
/// peer that is no echo/1 server, or whose certificate is not accepted, is an error at once.
///
/// A request goes on if its future is dropped, by a timeout for example: the next one waits behind it.
///
/// All requests share one connection at a time. `connect` makes it, when it is needed.
///
/// ```no_run
/// use echo_net::{Client, ClientConfig, RetryClient, RetryConfig};
///
/// # async fn doc() -> Result<(), echo_net::RetryError> {
/// let connect = || Client::connect("127.0.0.1:2012", ClientConfig::default());
/// let client = RetryClient::new(connect, RetryConfig::default());
/// let answer = client.request("hello").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct RetryClient<C> {
    connect: C,
    config: RetryConfig,
    current: Mutex<Current>,
    /// How many attempts to connect have ended.
    attempts: AtomicU64,
}

#[derive(Debug, Default)]
struct Current {
    /// Counts the connections.
    number: u64,
    client: Option<Client>,
    /// The last attempt to connect, if it failed.
    failed: Option<Arc<ConnectError>>,
}

impl<C, F> RetryClient<C>
where
    C: Fn() -> F,
    F: Future<Output = Result<Client, ConnectError>>,
{
    /// Creates a client. It connects for the first request.
    pub fn new(connect: C, config: RetryConfig) -> Self {
        Self { connect, config, current: Mutex::default(), attempts: AtomicU64::new(0) }
    }

    /// Sends `payload` and waits for its answer, on as many connections as it takes.
    ///
    /// # Errors
    /// [`RetryError::Request`]: the request is unknown, failed or too long, or was refused by the last attempt, too.
    /// [`RetryError::Connect`]: the last attempt could not connect; the request did not run.
    pub async fn request(&self, payload: impl Into<Vec<u8>>) -> Result<Answer, RetryError> {
        let payload = payload.into();
        let mut pause = self.config.pause;
        let mut attempt = 0;
        loop {
            attempt += 1;
            let error = match self.client().await {
                Ok((number, client)) => match client.request(payload.clone()).await {
                    Err(RequestError::Refused { outcome }) => {
                        self.give_up(number).await;
                        RetryError::Request(RequestError::Refused { outcome })
                    }
                    answer => return answer.map_err(RetryError::Request),
                },
                Err(error) => RetryError::Connect(error),
            };
            if attempt >= self.config.attempts || error.is_lasting() {
                return Err(error);
            }
            // A server that drains refuses; its successor may be there already.
            if attempt > 1 || matches!(error, RetryError::Connect(_)) {
                sleep(pause).await;
                pause = (2 * pause).min(LONGEST.max(self.config.pause));
            }
        }
    }

    /// Closes the present connection politely, if there is one, and returns how it ended. It waits for answers no longer
    /// than the drain deadline (4 s); requests without one are unknown then. A further request makes a new
    /// one.
    pub async fn close(&self) -> Option<echo_core::Outcome> {
        let client = self.current.lock().await.client.take()?;
        Some(client.close().await)
    }

    /// Returns the present connection and its number. Those who wait for an attempt to connect share its result.
    async fn client(&self) -> Result<(u64, Client), Arc<ConnectError>> {
        let attempts = self.attempts.load(Ordering::Acquire);
        let mut current = self.current.lock().await;
        if let Some(client) = current.client.as_ref().filter(|client| client.is_open()) {
            return Ok((current.number, client.clone()));
        }
        if let Some(error) = &current.failed
            && self.attempts.load(Ordering::Acquire) != attempts
        {
            return Err(error.clone());
        }
        let connected = (self.connect)().await;
        self.attempts.fetch_add(1, Ordering::Release);
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
        let mut current = self.current.lock().await;
        if current.number == number {
            current.client = None;
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
}

impl RetryError {
    /// Returns whether a further attempt would fail, too: the peer is no echo/1 server, or not the one that is meant.
    fn is_lasting(&self) -> bool {
        match self {
            Self::Request(_) => false,
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
        }
    }
}

impl std::error::Error for RetryError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Request(error) => Some(error),
            Self::Connect(error) => Some(&**error),
        }
    }
}
