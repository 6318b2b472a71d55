//! The only code that reads clocks.

use chrono::Utc;
use echo_core::Stamp;
use std::time::Duration;
use tokio::time::Instant;

/// The source of wall time, and the time zone of the plain wire.
///
/// Both are plain functions, so that a simulation can replace them. Monotonic time is tokio's, so it is virtual when
/// tokio's time is paused.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Clock {
    /// Returns the wall time. Called when a connection begins, and for the times on the plain wire.
    pub wall: fn() -> Stamp,
    /// Whether the times on the plain wire ignore later steps of the wall clock: they are the wall time at the start of
    /// the connection plus the time since. For a `wall` that stands still, as in simulations.
    pub steady: bool,
    /// Returns seconds east of Greenwich at a moment. It replaces [`Config::utc_offset`](echo_core::Config).
    pub utc_offset: fn(Stamp) -> i32,
}

impl Clock {
    /// Uses the system's clock and time zone (`TZ`, `/etc/localtime`).
    pub fn local() -> Self {
        Self { wall: system_wall, steady: false, utc_offset: local_offset }
    }

    /// For a simulation: `wall` may stand still, and the time on the plain wire goes on from it. In UTC.
    pub const fn simulated(wall: fn() -> Stamp) -> Self {
        Self { wall, steady: true, utc_offset: |_| 0 }
    }

    /// Uses the system's clock, in UTC.
    pub fn utc() -> Self {
        Self { wall: system_wall, steady: false, utc_offset: |_| 0 }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::local()
    }
}

fn system_wall() -> Stamp {
    Stamp(Utc::now().timestamp_nanos_opt().unwrap_or(i64::MAX))
}

#[cfg(unix)]
fn local_offset(stamp: Stamp) -> i32 {
    let offset = crate::system::local_offset(stamp.seconds());
    offset.and_then(|offset| i32::try_from(offset).ok()).unwrap_or(0)
}

#[cfg(not(unix))]
fn local_offset(stamp: Stamp) -> i32 {
    use chrono::{Local, Offset, TimeZone};
    match Utc.timestamp_opt(stamp.seconds(), 0).single() {
        Some(time) => time.with_timezone(&Local).offset().fix().local_minus_utc(),
        None => 0,
    }
}

/// The time since a connection began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeline {
    start: Instant,
}

impl Timeline {
    pub(crate) fn begin() -> Self {
        Self { start: Instant::now() }
    }

    pub(crate) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// Returns the moment on tokio's clock, or `None` if it is out of range.
    pub(crate) fn at(&self, since: Duration) -> Option<Instant> {
        self.start.checked_add(since)
    }
}
