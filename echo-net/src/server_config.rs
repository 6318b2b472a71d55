//! What a server is told, and what it tells about the connections that have ended.

use crate::clock::Clock;
use echo_core::{CloseCode, CloseReason, Config, Outcome, Traffic};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// What a connection may own beside a message: a read that waits, answers that wait, and the room these grow into.
const BUFFERS: usize = 256 * 1024;

/// The settings of a server.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// What each connection is told.
    pub connection: Config,
    /// Where the time comes from.
    pub clock: Clock,
    /// So many connections are served at once; one more is refused with CLOSE 1013, or a line on the plain wire.
    pub max_connections: usize,
    /// So many refusals are under way at once (at least 1). For one more the oldest is let go, but not before 100 ms
    /// have passed, in which it is told why if it says anything. A client that is to be refused and says nothing is
    /// let go at the detect deadline in any case.
    pub max_refusals: usize,
    /// So many bytes of memory hold what connections have sent and are to be sent, all together; the buffers of the
    /// system are not in it. Half of it is divided evenly among `max_connections` and `max_refusals`, so that a
    /// connection which stays within its part always has room. The other half is for long messages: a connection gets
    /// no more of it than it leaves. For whom there is no room the conversation ends with CLOSE 1013, or a line on the
    /// plain wire. See [`ServerConfig::least_memory`].
    pub max_memory: usize,
    /// What clients are told when the server drains: 1001 or 1012 of RFC 6455 section 7.4.
    pub close_reason: CloseReason,
    /// Called at the end of each connection.
    pub on_end: OnEnd,
}

/// A connection that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its number: 1 for the first the server accepted.
    pub number: u64,
    /// What the listener calls its peer.
    pub peer: String,
    /// Whether it was one over the limit, accepted only to be refused.
    pub refused: bool,
    /// How it ended.
    pub outcome: Outcome,
    /// What it carried.
    pub traffic: Traffic,
}

/// Something to call at the end of each connection, or nothing (the default).
///
/// It is called from the server's own task, in the order of the ends; while it runs nothing is accepted. If it panics
/// that is logged and counted ([`Report::panicked`](crate::Report::panicked)), and the server goes on.
#[derive(Clone, Default)]
pub struct OnEnd(Option<Arc<Call>>);

type Call = dyn Fn(&Ended) + Send + Sync;

impl OnEnd {
    /// Calls `call`.
    pub fn call(call: impl Fn(&Ended) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(call)))
    }

    /// Tells of an end; whether that panicked.
    pub(crate) fn tell(&self, ended: &Ended) -> bool {
        let Self(call) = self;
        // What the user's code breaks is its own; the conversations of others go on.
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
            on_end: OnEnd::default(),
        }
    }
}

impl ServerConfig {
    /// With less [`max_memory`](Self::max_memory) than this a message of the longest allowed length may find no room
    /// though nobody else takes any.
    pub fn least_memory(&self) -> usize {
        // A connection gets half of the common half, and owns buffers beside the message.
        4 * (self.connection.limit + BUFFERS)
    }
}
