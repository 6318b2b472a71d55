//! What was measured.

use super::plan::Plan;
use crate::exit::counted;
use echo_net::echo_core::{End, Outcome, Stamps, Tally};
use hdrhistogram::Histogram;
use std::collections::BTreeMap;

/// Times in nanoseconds, to three digits, up to an hour.
#[derive(Clone, Debug)]
pub(super) struct Times(Histogram<u64>);

impl Default for Times {
    fn default() -> Self {
        const HOUR: u64 = 3600 * 1_000_000_000;
        Self(Histogram::new_with_bounds(1, HOUR, 3).expect("these bounds are allowed"))
    }
}

impl Times {
    /// Adds a time. One below zero, from wrong clocks, counts as zero.
    pub(super) fn add(&mut self, nanos: i64) {
        self.0.saturating_record(u64::try_from(nanos).unwrap_or(0));
    }

    pub(super) fn histogram(&self) -> &Histogram<u64> {
        &self.0
    }

    fn merge(&mut self, other: &Self) {
        // They have the same bounds.
        let _ = self.0.add(&other.0);
    }
}

/// The results of one thread, or of all.
#[derive(Clone, Debug, Default)]
pub(super) struct Results {
    /// Answers that came while measuring; with short conversations, conversations that ended.
    pub(super) count: u64,
    /// From the moment that a request should have been sent, or was sent, to its answer; or of a whole conversation.
    pub(super) latency: Times,
    /// t1 to t4, if that is not the latency.
    pub(super) round_trip: Times,
    /// t1 to t2, t2 to t3, and t3 to t4.
    pub(super) out: Times,
    pub(super) server: Times,
    pub(super) back: Times,
    /// The server's clock minus this one, in nanoseconds: the sum, for the mean.
    offsets: i128,
    stamped: u64,
    /// Conversations by the name of their end, from the begin of the run.
    pub(super) ends: BTreeMap<&'static str, u64>,
    pub(super) account: Tally,
    /// Answers with other bytes than were sent.
    changed: u64,
    /// Conversations that did not begin or end as they must, and what the first one got.
    failed: u64,
    first_failure: Option<String>,
    connected: u64,
}

impl Results {
    pub(super) fn add_stamps(&mut self, stamps: &Stamps) {
        self.out.add(stamps.t2.0.saturating_sub(stamps.t1.0));
        self.server.add(stamps.t3.0.saturating_sub(stamps.t2.0));
        self.back.add(stamps.t4.0.saturating_sub(stamps.t3.0));
        self.offsets += i128::from(stamps.offset());
        self.stamped += 1;
    }

    pub(super) fn add_changed(&mut self) {
        self.changed += 1;
    }

    pub(super) fn add_connected(&mut self) {
        self.connected += 1;
    }

    pub(super) fn add_outcome(&mut self, outcome: &Outcome) {
        *self.ends.entry(outcome.end.name()).or_default() += 1;
        let account = outcome.account;
        self.account.answered += account.answered;
        self.account.refused += account.refused;
        self.account.unknown += account.unknown;
        if !matches!(outcome.end, End::Clean(_) | End::Unproven) {
            self.add_failure(|| outcome.to_string());
        }
    }

    pub(super) fn add_failure(&mut self, what: impl FnOnce() -> String) {
        self.failed += 1;
        self.first_failure.get_or_insert_with(what);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.count += other.count;
        for (mine, theirs) in [
            (&mut self.latency, &other.latency),
            (&mut self.round_trip, &other.round_trip),
            (&mut self.out, &other.out),
            (&mut self.server, &other.server),
            (&mut self.back, &other.back),
        ] {
            mine.merge(theirs);
        }
        self.offsets += other.offsets;
        self.stamped += other.stamped;
        for (end, count) in &other.ends {
            *self.ends.entry(end).or_default() += count;
        }
        self.account.answered += other.account.answered;
        self.account.refused += other.account.refused;
        self.account.unknown += other.account.unknown;
        self.changed += other.changed;
        self.failed += other.failed;
        if self.first_failure.is_none() {
            self.first_failure.clone_from(&other.first_failure);
        }
        self.connected += other.connected;
    }

    /// Returns the mean of the server's clock minus this one, in nanoseconds.
    pub(super) fn offset(&self) -> Option<i64> {
        (self.stamped > 0).then(|| (self.offsets / i128::from(self.stamped)) as i64)
    }

    /// Returns whether no connection was made.
    pub(super) fn is_unreached(&self) -> bool {
        self.connected == 0
    }

    /// Describes what went wrong, if anything.
    pub(super) fn problems(&self, plan: &Plan) -> Vec<String> {
        let mut problems = Vec::new();
        if let Some(first) = &self.first_failure {
            let count = usize::try_from(self.failed).unwrap_or(usize::MAX);
            let first = first.strip_prefix(&format!("{}: ", plan.name)).unwrap_or(first);
            problems.push(format!("{} with {} failed, the first: {first}", counted(count, "conversation"), plan.name));
        }
        // The plain wire has no account of single messages.
        let accounts = if plan.is_plain { [0, 0] } else { [self.account.refused, self.account.unknown] };
        let counts = [
            (accounts[0], "refused: never ran"),
            (accounts[1], "without an answer: may have run"),
            (self.changed, "answered with other bytes than were sent"),
        ];
        for (count, what) in counts.into_iter().filter(|(count, _)| *count > 0) {
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            problems.push(format!("{} {what}", counted(count, "message")));
        }
        if self.count == 0 && problems.is_empty() {
            problems.push("no answer came while measuring".to_owned());
        }
        problems
    }
}
