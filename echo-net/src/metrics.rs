//! Metrics of a server while it runs.

use crate::calls::CallLimits;
use crate::memory::Memory;
use crate::report::Report;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Metrics of a server while it runs. Clones share them: give one to a server
/// ([`ServerConfig::metrics`](crate::ServerConfig::metrics)), and keep another one to [read](Self::read).
///
/// They belong to one server at a time. They begin at zero when it begins, and stay as they are when it has ended.
/// Counting costs something at the begin and at the end of a connection, and nothing for a message.
#[derive(Clone, Debug, Default)]
pub struct Metrics(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    snapshot: MetricsSnapshot,
    /// What has current values of its own. `None` before a server begins.
    sources: Option<(Arc<Memory>, Arc<CallLimits>)>,
}

/// The metrics of a server at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct MetricsSnapshot {
    /// Totals so far. Messages, bytes and requests are those of connections that have ended.
    pub report: Report,
    /// Connections that are served.
    pub open: usize,
    /// Connections that are being refused.
    pub refusing: usize,
    /// Whether the server accepts no more connections: it drains, or aborts, or has ended.
    pub draining: bool,
    /// How long connections lasted that have ended.
    pub durations: Durations,
    /// Bytes of memory in use that connections share: what each owns beyond its own part. See
    /// [`ServerConfig::max_memory`](crate::ServerConfig::max_memory).
    pub shared_memory: usize,
    /// Maximum of `shared_memory`, in bytes.
    pub max_shared_memory: usize,
    /// Calls of the service that have ended, those of open connections among them.
    pub ended_calls: u64,
    /// Calls of the service that run.
    pub running_calls: usize,
    /// Calls of the service that wait for a place, because as many run as may.
    pub waiting_calls: usize,
}

impl Metrics {
    /// Returns the current values.
    pub fn read(&self) -> MetricsSnapshot {
        let state = self.lock();
        let mut snapshot = state.snapshot.clone();
        if let Some((memory, calls)) = &state.sources {
            (snapshot.shared_memory, snapshot.max_shared_memory) = memory.shared();
            snapshot.ended_calls = calls.ended();
            (snapshot.running_calls, snapshot.waiting_calls) = (calls.running(), calls.waiting());
            (snapshot.report.panicked_calls, snapshot.report.failed_requests) = calls.failures();
        }
        snapshot
    }

    /// Begins at zero, for a server with this memory and these limits.
    pub(crate) fn begin(&self, memory: Arc<Memory>, calls: Arc<CallLimits>) {
        *self.lock() = State { snapshot: MetricsSnapshot::default(), sources: Some((memory, calls)) };
    }

    /// Changes what is counted.
    pub(crate) fn update<T>(&self, change: impl FnOnce(&mut MetricsSnapshot) -> T) -> T {
        change(&mut self.lock().snapshot)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A histogram of durations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Durations {
    /// By [`BOUNDS`](Self::BOUNDS).
    counts: [u64; Self::BOUNDS.len()],
    count: u64,
    sum: Duration,
}

impl Durations {
    /// The upper bound of each bucket, itself included: from 1 ms to a day.
    pub const BOUNDS: [Duration; 9] = [
        Duration::from_millis(1),
        Duration::from_millis(10),
        Duration::from_millis(100),
        Duration::from_secs(1),
        Duration::from_secs(10),
        Duration::from_secs(60),
        Duration::from_secs(600),
        Duration::from_secs(3600),
        Duration::from_secs(86_400),
    ];

    pub(crate) fn add(&mut self, duration: Duration) {
        if let Some(bucket) = Self::BOUNDS.iter().position(|bound| duration <= *bound) {
            self.counts[bucket] += 1;
        }
        self.count += 1;
        self.sum = self.sum.saturating_add(duration);
    }

    /// Returns each bucket with its upper bound: how many durations are in it and in no smaller one.
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, u64)> {
        Self::BOUNDS.into_iter().zip(self.counts)
    }

    /// Returns how many durations there are, those beyond the last bucket included.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Returns the sum of all durations.
    pub fn sum(&self) -> Duration {
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use super::Durations;
    use std::time::Duration;

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        let mut durations = Durations::default();
        for millis in [1, 2, 86_400_000, 86_400_001] {
            durations.add(Duration::from_millis(millis));
        }
        let counts: Vec<u64> = durations.buckets().map(|(_, count)| count).collect();
        assert_eq!(counts, [1, 1, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!((durations.count(), durations.sum()), (4, Duration::from_millis(172_800_004)));
    }
}
