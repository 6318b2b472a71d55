//! Statistics of the delay of answers.

use hdrhistogram::Histogram;
use serde_json::{Value, json};
use std::fmt;

/// Delays without the server's processing time, in microseconds, to three digits.
#[derive(Debug)]
pub(crate) struct Latency(Histogram<u64>);

impl Default for Latency {
    fn default() -> Self {
        const DIGITS: u8 = 3;
        Self(Histogram::new(DIGITS).expect("a histogram allows three digits"))
    }
}

impl Latency {
    /// Adds a delay in nanoseconds. A delay below zero, from wrong clocks, counts as zero.
    pub(crate) fn add(&mut self, delay: i64) {
        self.0.saturating_record(u64::try_from(delay).unwrap_or(0) / 1000);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn json(&self) -> Value {
        let Self(times) = self;
        let quantile = |share| times.value_at_quantile(share);
        json!({
            "count": times.len(),
            "min_us": times.min(),
            "median_us": quantile(0.5),
            "p99_us": quantile(0.99),
            "max_us": times.max(),
        })
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(times) = self;
        let (median, p99) = (times.value_at_quantile(0.5), times.value_at_quantile(0.99));
        write!(f, "{} answers: min {} us, median {median} us, p99 {p99} us", times.len(), times.min())
    }
}
