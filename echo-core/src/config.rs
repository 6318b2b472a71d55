//! Settings of a connection: limits, deadlines and choices.

use crate::close::Role;
#[cfg(feature = "explore")]
use crate::close::{Machine, table::Sample};
use crate::frame::MAX_PAYLOAD;
use crate::stamp::Stamp;
use crate::timers::Deadlines;
use std::time::Duration;

/// A server reads no more input while this many bytes of output wait: the peer must read first (back-pressure).
pub const HIGH_WATER: usize = 64 * 1024;

/// The settings of one [`Connection`](crate::Connection). `Default` gives the values of PROTOCOL.md.
///
/// ```
/// let mut config = echo_core::Config::default();
/// config.limit = 64 * 1024;
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Maximum length of a payload, or of a piece of a plain line, in bytes; at most [`MAX_PAYLOAD`]. Default 1 MiB.
    ///
    /// A longer message of the peer is a violation: the conversation ends with code 1009, and requests beside it may be
    /// unknown. So a client's limit should not be greater than its server's; its own requests are checked before they are
    /// sent.
    pub limit: usize,
    /// Server: whether a client may use the plain wire. If not, a client that does not begin with the preface of echo/1 is
    /// refused with the reason. A service whose requests do something should turn it off, for any bytes are a message
    /// there, and a pause of [`quiet`](Self::quiet) ends one. Default true.
    pub plain_wire: bool,
    /// Plain wire: a message ends after this time without input. Zero: each read is a message. Default 20 ms.
    pub quiet: Duration,
    /// Server whose user answers: while so many requests are unanswered (or messages and answers of [`HIGH_WATER`] bytes
    /// wait with them), it reads no further one. At least 1; default 64.
    /// A reset is only seen while it reads: until an answer makes room, a client that is gone is not noticed, and the
    /// requests that wait for their handlers are not cancelled.
    pub unanswered: usize,
    /// Length of each deadline.
    pub deadlines: Deadlines,
    /// Bytes that the peer must acknowledge within a wait for the wait to start again (clause 8.6). Default 16 KiB.
    pub progress: usize,
    /// Server: the side that sends FIN first and holds TIME_WAIT. Default: the client.
    pub first_fin: Role,
    /// Returns seconds east of Greenwich at a moment, for the time text of the plain wire. Default: UTC. (echo-net sets
    /// it from its clock.)
    pub utc_offset: fn(Stamp) -> i32,
    /// Called before each event of the close machine, with the machine before the event. Tests use it to measure which
    /// pairs of state and event they reach. Default: none.
    #[cfg(feature = "explore")]
    pub observe: Option<fn(&Machine, Sample)>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limit: 1024 * 1024,
            plain_wire: true,
            quiet: Duration::from_millis(20),
            unanswered: 64,
            deadlines: Deadlines::default(),
            progress: 16 * 1024,
            first_fin: Role::Client,
            utc_offset: |_| 0,
            #[cfg(feature = "explore")]
            observe: None,
        }
    }
}

impl Config {
    /// Returns the limit in force.
    pub(crate) fn payload_limit(&self) -> usize {
        self.limit.clamp(1, MAX_PAYLOAD)
    }
}
