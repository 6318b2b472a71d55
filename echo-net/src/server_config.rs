//! The settings of a server, and its report on a connection that has ended.

use crate::clock::Clock;
use crate::cores::Cores;
use crate::metrics::Metrics;
use echo_core::{CloseCode, CloseReason, Config, Outcome, Traffic};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// Maximum bytes that a connection owns beside a message: one read that waits, answers that wait, and spare capacity.
const BUFFERS: usize = 512 * 1024;

/// The settings of a server.
///
/// ```
/// let mut config = echo_net::ServerConfig::default();
/// config.max_connections = 100;
/// config.connection.limit = 64 * 1024;
/// config.connection.plain_wire = false; // for a service whose requests do something
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerConfig {
    /// Settings of each connection.
    pub connection: Config,
    /// The clock.
    pub clock: Clock,
    /// Maximum number of concurrent connections, 0 for none. A further one is refused with CLOSE 1013, or a line on the plain wire.
    /// Default 1,024.
    pub max_connections: usize,
    /// Maximum number of concurrent refusals (0 counts as 1). A further one ends the oldest, but not before it is 100 ms
    /// old: in that time a client that sends something is told the reason. A client to refuse that sends nothing is
    /// dropped at the detect deadline. Default 256.
    pub max_refusals: usize,
    /// Maximum bytes of memory for the input and output of all connections; buffers of the system do not count. One
    /// half is divided evenly among `max_connections` and `max_refusals`, so a connection within its part always has
    /// room. The other half is for long messages: a connection may take at most as much of it as it leaves free. A
    /// connection without room ends with CLOSE 1013, or a line on the plain wire. See [`ServerConfig::least_memory`].
    /// Default 512 MiB.
    pub max_memory: usize,
    /// Code and reason for clients when the server drains: code 1001 (the default) or 1012 of RFC 6455 section 7.4. Another
    /// code becomes 1001.
    pub close_reason: CloseReason,
    /// Maximum number of calls of the service that run at once, over all connections. A further one waits for its place.
    /// [`Config::unanswered`] is the maximum of one connection. 0 counts as 1. Default 10,000.
    pub max_calls: usize,
    /// How long a call may take, with its wait for a place. Then it is dropped, and its request fails with code 1011. If it
    /// has no place after half of this time, it is not begun, and its request fails with code 1013: a call that begins has
    /// at least the other half. It should be less than the clients' answer deadline
    /// (30 s), or they end the conversation before they learn of it. [`Duration::MAX`] means no limit. Default 20 s.
    pub call_deadline: Duration,
    /// How long a call may go on after the ending has begun: a drain, or the client's GOAWAY or FIN. Then it is dropped,
    /// and its request fails with code 1011. Default 3 s.
    ///
    /// It must be less than the drain deadlines (4 s) of the server and of its clients. At the server's, the connection is
    /// aborted, and every request without an answer is unknown, also one whose call has ended behind a slow one. Longer
    /// calls need longer `drain` and `shutdown` deadlines ([`Deadlines`](echo_core::Deadlines)) at both sides.
    pub ending_call_deadline: Duration,
    /// Threads for the connections. `None` (the default) for the runtime that serves.
    pub cores: Option<Cores>,
    /// Called at the end of each connection.
    pub on_end: OnEnd,
    /// Metrics to be read while the server runs. `None` (the default) if nobody reads them. A connection has no memory
    /// for them.
    pub metrics: Option<Metrics>,
}

/// A connection that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Ended {
    /// The connection's number: 1 for the first that the server accepted.
    pub number: u64,
    /// The peer's address, as the listener displays it.
    pub peer: String,
    /// Whether it was over the limit and accepted only to be refused.
    pub refused: bool,
    /// How it ended.
    pub outcome: Outcome,
    /// What it transferred.
    pub traffic: Traffic,
    /// How long it lasted, from its acceptance on.
    pub duration: Duration,
}

/// A callback for the end of each connection, or nothing (the default).
///
/// The server's own task calls it, in the order of the ends. The server accepts nothing while it runs. If it panics,
/// the server logs and counts that ([`Report::panicked`](crate::Report::panicked)) and continues.
#[derive(Clone, Default)]
pub struct OnEnd(Option<Arc<Call>>);

type Call = dyn Fn(&Ended) + Send + Sync;

impl OnEnd {
    /// Makes `call` the callback.
    pub fn call(call: impl Fn(&Ended) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(call)))
    }

    /// Calls the callback. Returns whether it panicked.
    pub(crate) fn tell(&self, ended: &Ended) -> bool {
        let Self(call) = self;
        // A panic in the user's code must not end other conversations.
        call.as_ref().is_some_and(|call| catch_unwind(AssertUnwindSafe(|| call(ended))).is_err())
    }
}

impl fmt::Debug for OnEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "OnEnd(..)" } else { "OnEnd(nothing)" })
    }
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            connection: Config::default(),
            clock: Clock::default(),
            max_connections: 1024,
            max_refusals: 256,
            max_memory: 512 * 1024 * 1024,
            close_reason: CloseReason::new(CloseCode::GOING_AWAY, "the server is shutting down"),
            max_calls: 10_000,
            call_deadline: Duration::from_secs(20),
            ending_call_deadline: Duration::from_secs(3),
            cores: None,
            on_end: OnEnd::default(),
            metrics: None,
        }
    }
}

impl ServerConfig {
    /// Returns the least [`max_memory`](Self::max_memory) at which one message of the maximum length always fits while
    /// no other connection uses the shared half.
    pub fn least_memory(&self) -> usize {
        // A connection gets half of the shared half, and owns buffers beside the message.
        4 * (self.connection.limit + BUFFERS)
    }
}
