//! Counts how often each TCP state change happened.

use crate::check::tcp_rules::edges;
use crate::record::Record;
use crate::tcp::{CLOSING, Edge};
use std::collections::BTreeMap;
use std::fmt;

/// A count for each edge of the state diagram.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EdgeTable {
    counts: BTreeMap<Edge, u64>,
}

impl EdgeTable {
    /// Counts the changes in `record`. Changes that are not in the diagram are left to [`check_tcp`](crate::check_tcp).
    pub fn add(&mut self, record: &Record) {
        for edge in edges(record).into_iter().flatten() {
            *self.counts.entry(edge).or_default() += 1;
        }
    }

    /// Adds the counts of another table.
    pub fn merge(&mut self, other: &Self) {
        for (edge, count) in &other.counts {
            *self.counts.entry(*edge).or_default() += count;
        }
    }

    /// Returns how often `edge` was taken.
    pub fn count(&self, edge: &Edge) -> u64 {
        self.counts.get(edge).copied().unwrap_or_default()
    }

    /// Returns the edges that were taken, with their counts, in the order of the states.
    pub fn counts(&self) -> impl Iterator<Item = (Edge, u64)> {
        self.counts.iter().map(|(edge, count)| (*edge, *count))
    }

    /// Returns the edges from ESTABLISHED on that were never taken.
    pub fn missing(&self) -> Vec<Edge> {
        CLOSING.into_iter().filter(|edge| self.count(edge) == 0).collect()
    }
}

impl fmt::Display for EdgeTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<12} {:<12} {:<20} {:>10}  RFC 9293", "from", "to", "trigger", "taken")?;
        let never = CLOSING.iter().filter(|edge| self.count(edge) == 0).map(|edge| (edge, &0));
        let mut all: Vec<_> = self.counts.iter().chain(never).collect();
        all.sort();
        for (edge, count) in all {
            let taken = if *count == 0 { "never".to_owned() } else { count.to_string() };
            writeln!(f, "{edge} {taken:>10}  {}", edge.trigger.source())?;
        }
        Ok(())
    }
}
