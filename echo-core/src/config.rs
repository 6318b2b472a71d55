//! What a connection is told at its beginning: limits, deadlines and choices.

use crate::close::table::Sample;
use crate::close::{Machine, Role};
use crate::frame::MAX_PAYLOAD;
use crate::stamp::Stamp;
use crate::timers::Deadlines;
use std::time::Duration;

/// Input is taken until this many bytes of output wait; then the peer has to read first (back-pressure).
pub const HIGH_WATER: usize = 64 * 1024;

/// The settings of one [`Connection`](crate::Connection). `Default` gives those of PROTOCOL.md.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// The longest payload, or plain line in one piece, in bytes; at most [`MAX_PAYLOAD`]. Default 1 MiB.
    pub limit: usize,
    /// Plain wire: a message ends when nothing has come for so long. Zero: each read is a message. Default 20 ms.
    pub quiet: Duration,
    /// How long each wait may take.
    pub deadlines: Deadlines,
    /// How many bytes the peer must take within a wait for that to begin anew (clause 8.6). Default 16 KiB.
    pub progress: usize,
    /// Server: who sends FIN first and holds TIME_WAIT. Default: the client.
    pub first_fin: Role,
    /// Seconds east of Greenwich at a moment, for the plain wire's ctime. Default: UTC. (echo-net
    /// sets it from its clock.)
    pub utc_offset: fn(Stamp) -> i32,
    /// Called before each event of the close machine, with the machine as the event finds it: tests measure with it
    /// which pairs of state and event they reach. Default: nothing.
    pub observe: Option<fn(&Machine, Sample)>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limit: 1024 * 1024,
            quiet: Duration::from_millis(20),
            deadlines: Deadlines::default(),
            progress: 16 * 1024,
            first_fin: Role::Client,
            utc_offset: |_| 0,
            observe: None,
        }
    }
}

impl Config {
    /// The limit in force.
    pub(crate) fn payload_limit(&self) -> usize {
        self.limit.clamp(1, MAX_PAYLOAD)
    }
}
