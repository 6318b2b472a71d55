//! The named deadlines: each wait of the protocol has one (PROTOCOL.md, section 8).

use std::fmt;
use std::time::Duration;

/// The name of a wait that has a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
pub enum Deadline {
    /// Client: from the first attempt to connect until the server's preface is read.
    Connect,
    /// Server: from a first byte of the framed wire until the client's preface is complete.
    Detect,
    /// Client: no answer while at least one request is unanswered.
    Answer,
    /// No complete request and no complete answer.
    Idle,
    /// The transport takes no byte of the output.
    Write,
    /// From the first GOAWAY until the server's CLOSE.
    Drain,
    /// From the server's CLOSE until the client's.
    Close,
    /// From the CLOSE frames until the peer's FIN, if the peer sends FIN first.
    Fin,
    /// From this side's FIN until the peer's.
    Linger,
    /// From the beginning of the ending until its end: limits the sum of the others.
    Shutdown,
}

impl Deadline {
    /// All deadlines, in the order in which they pass when several are due at the same moment.
    pub const ALL: [Self; 10] = [
        Self::Connect,
        Self::Detect,
        Self::Answer,
        Self::Idle,
        Self::Write,
        Self::Drain,
        Self::Close,
        Self::Fin,
        Self::Linger,
        Self::Shutdown,
    ];

    /// Returns the deadline's name, as in PROTOCOL.md and in options.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Detect => "detect",
            Self::Answer => "answer",
            Self::Idle => "idle",
            Self::Write => "write",
            Self::Drain => "drain",
            Self::Close => "close",
            Self::Fin => "fin",
            Self::Linger => "linger",
            Self::Shutdown => "shutdown",
        }
    }
}

impl fmt::Display for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Length of each deadline. [`Duration::MAX`] means no deadline. The defaults are those of PROTOCOL.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Deadlines {
    /// See [`Deadline::Connect`]. Default 10 s.
    pub connect: Duration,
    /// See [`Deadline::Detect`]. Default 5 s.
    pub detect: Duration,
    /// See [`Deadline::Answer`]. Default 30 s.
    pub answer: Duration,
    /// See [`Deadline::Idle`]. Default 300 s.
    pub idle: Duration,
    /// See [`Deadline::Write`]. Default 30 s.
    pub write: Duration,
    /// See [`Deadline::Drain`]. Default 4 s.
    pub drain: Duration,
    /// See [`Deadline::Close`]. Default 2 s.
    pub close: Duration,
    /// See [`Deadline::Fin`]. Default 2 s.
    pub fin: Duration,
    /// See [`Deadline::Linger`]. Default 2 s.
    pub linger: Duration,
    /// See [`Deadline::Shutdown`]. Default 8 s.
    pub shutdown: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            connect: seconds(10),
            detect: seconds(5),
            answer: seconds(30),
            idle: seconds(300),
            write: seconds(30),
            drain: seconds(4),
            close: seconds(2),
            fin: seconds(2),
            linger: seconds(2),
            shutdown: seconds(8),
        }
    }
}

impl Deadlines {
    /// Returns the length of `deadline`.
    #[inline]
    pub fn length(&self, deadline: Deadline) -> Duration {
        match deadline {
            Deadline::Connect => self.connect,
            Deadline::Detect => self.detect,
            Deadline::Answer => self.answer,
            Deadline::Idle => self.idle,
            Deadline::Write => self.write,
            Deadline::Drain => self.drain,
            Deadline::Close => self.close,
            Deadline::Fin => self.fin,
            Deadline::Linger => self.linger,
            Deadline::Shutdown => self.shutdown,
        }
    }
}

impl Deadlines {
    /// Sets the length of `deadline`.
    pub fn set(&mut self, deadline: Deadline, length: Duration) {
        let slot = match deadline {
            Deadline::Connect => &mut self.connect,
            Deadline::Detect => &mut self.detect,
            Deadline::Answer => &mut self.answer,
            Deadline::Idle => &mut self.idle,
            Deadline::Write => &mut self.write,
            Deadline::Drain => &mut self.drain,
            Deadline::Close => &mut self.close,
            Deadline::Fin => &mut self.fin,
            Deadline::Linger => &mut self.linger,
            Deadline::Shutdown => &mut self.shutdown,
        };
        *slot = length;
    }
}

/// The running deadlines and when each is due, in nanoseconds since the connection began.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Timers {
    /// [`NEVER`] for one that does not run.
    due: [u64; Deadline::ALL.len()],
}

/// Longer than any connection: 584 years.
const NEVER: u64 = u64::MAX;

impl Default for Timers {
    fn default() -> Self {
        Self { due: [NEVER; Deadline::ALL.len()] }
    }
}

impl Timers {
    /// Starts `deadline`, also if it runs already. A length of [`Duration::MAX`] means that it never passes.
    #[inline]
    pub fn start(&mut self, deadline: Deadline, now: Duration, lengths: &Deadlines) {
        self.due[deadline as usize] = nanos(now).saturating_add(nanos(lengths.length(deadline)));
    }

    /// Starts `deadline` unless it runs already.
    #[inline]
    pub fn ensure(&mut self, deadline: Deadline, now: Duration, lengths: &Deadlines) {
        if !self.runs(deadline) {
            self.start(deadline, now, lengths);
        }
    }

    /// Starts `deadline` again if it is due.
    pub fn renew(&mut self, deadline: Deadline, now: Duration, lengths: &Deadlines) {
        if self.runs(deadline) && self.due[deadline as usize] <= nanos(now) {
            self.start(deadline, now, lengths);
        }
    }

    /// Delays every running deadline by `length`.
    pub fn postpone(&mut self, length: Duration) {
        for due in &mut self.due {
            *due = due.saturating_add(nanos(length));
        }
    }

    /// Stops `deadline`.
    #[inline]
    pub fn stop(&mut self, deadline: Deadline) {
        self.due[deadline as usize] = NEVER;
    }

    /// Stops every deadline.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Returns when the next deadline is due.
    #[inline]
    pub fn next(&self) -> Option<Duration> {
        let next = self.due.into_iter().fold(NEVER, u64::min);
        (next != NEVER).then(|| Duration::from_nanos(next))
    }

    /// Returns whether `deadline` runs.
    #[inline]
    pub fn runs(&self, deadline: Deadline) -> bool {
        self.due[deadline as usize] != NEVER
    }

    /// Stops and returns the deadline that is due at `now`: the earliest one, or the first in [`Deadline::ALL`] if
    /// several are due at the same moment.
    pub fn expired(&mut self, now: Duration) -> Option<Deadline> {
        let earliest = self.due.into_iter().fold(NEVER, u64::min);
        if earliest == NEVER || earliest > nanos(now) {
            return None;
        }
        let deadline = Deadline::ALL.into_iter().find(|deadline| self.due[*deadline as usize] == earliest)?;
        self.stop(deadline);
        Some(deadline)
    }
}

/// Returns whole nanoseconds, at most [`NEVER`].
#[inline]
fn nanos(time: Duration) -> u64 {
    let below = time.as_secs().checked_mul(1_000_000_000);
    below.and_then(|seconds| seconds.checked_add(u64::from(time.subsec_nanos()))).unwrap_or(NEVER)
}
