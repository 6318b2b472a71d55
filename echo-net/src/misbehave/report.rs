//! The result of an attack.

use super::{Ending, Kind, Wire};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Totals of one attack.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MisbehaveReport {
    /// The kind of misbehaviour.
    pub kind: Kind,
    /// The wire.
    pub wire: Wire,
    /// Length of the attack, including the wait at the end.
    pub elapsed: Duration,
    /// Connections made.
    pub connected: u64,
    /// Failed attempts to connect: refused, no descriptor, no port, no room in the accept queue.
    pub not_connected: u64,
    /// Bytes that the transport took.
    pub written: u64,
    /// Bytes read.
    pub read: u64,
    /// Complete REPLYs read (framed wire).
    pub answers: u64,
    /// Connections by their ending.
    pub endings: BTreeMap<Ending, u64>,
    /// The first reason in a CLOSE of the server, for each ending that has one.
    pub reasons: BTreeMap<Ending, String>,
}

impl MisbehaveReport {
    pub(super) fn new(kind: Kind, wire: Wire) -> Self {
        Self {
            kind,
            wire,
            elapsed: Duration::ZERO,
            connected: 0,
            not_connected: 0,
            written: 0,
            read: 0,
            answers: 0,
            endings: BTreeMap::new(),
            reasons: BTreeMap::new(),
        }
    }

    pub(super) fn count(&mut self, ending: Ending, reason: &str) {
        *self.endings.entry(ending).or_default() += 1;
        if !reason.is_empty() {
            self.reasons.entry(ending).or_insert_with(|| reason.to_owned());
        }
    }

    /// Returns how many connections were refused because the server is full.
    pub fn busy(&self) -> u64 {
        self.endings.iter().filter(|(ending, _)| ending.is_busy()).map(|(_, count)| count).sum()
    }

    /// Returns the endings that [`Kind::must_get`] does not allow, with their counts.
    ///
    /// While the server is full, connections that it has not accepted yet get nothing: that is allowed.
    pub fn not_allowed(&self) -> impl Iterator<Item = (Ending, u64)> {
        let is_full = self.busy() > 0;
        let waits = move |ending: &Ending| is_full && ending.is_unserved();
        let wrong = move |ending: &Ending| !self.kind.allows(self.wire, ending) && !waits(ending);
        self.endings.iter().filter(move |(ending, _)| wrong(ending)).map(|(ending, count)| (*ending, *count))
    }

    /// Returns whether every connection ended as [`Kind::must_get`] allows.
    pub fn is_allowed(&self) -> bool {
        self.not_allowed().next().is_none()
    }
}

impl fmt::Display for MisbehaveReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, wire, connected, not_connected, written, read, answers, .. } = self;
        writeln!(f, "{kind}, {wire} wire, {:.1} s: {}", self.elapsed.as_secs_f64(), kind.summary())?;
        writeln!(f, "  {connected} connections made, {not_connected} attempts failed")?;
        write!(f, "  {written} bytes written, {read} bytes read, {answers} REPLYs")?;
        for (ending, count) in &self.endings {
            let mark = if self.not_allowed().any(|(wrong, _)| wrong == *ending) { "NOT ALLOWED: " } else { "" };
            write!(f, "\n  {count} × {mark}{ending}")?;
            if let Some(reason) = self.reasons.get(ending) {
                write!(f, " ({reason})")?;
            }
        }
        Ok(())
    }
}
