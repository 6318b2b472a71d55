//! What a server did.

use echo_core::{End, Outcome, Traffic};
use std::collections::BTreeMap;
use std::fmt;

/// The sums of a server's life.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Connections accepted, the refused ones included.
    pub accepted: u64,
    /// Of these, connections over the limit, which were refused.
    pub refused: u64,
    /// Connections by how they ended, by [`End::name`].
    pub outcomes: BTreeMap<&'static str, u64>,
    /// Requests accepted, their answers queued; whether the client got them is in the outcomes.
    pub messages: u64,
    /// Payload bytes of these requests.
    pub bytes: u64,
    /// Attempts to accept that failed.
    pub accept_errors: u64,
    /// Connections whose task panicked, always a bug of this crate, and calls of [`OnEnd`](crate::OnEnd) that did.
    pub panicked: u64,
}

impl Report {
    pub(crate) fn count(&mut self, outcome: &Outcome, traffic: Traffic) {
        *self.outcomes.entry(outcome.end.name()).or_default() += 1;
        self.messages += traffic.messages;
        self.bytes += traffic.bytes;
    }

    /// How many connections ended as `name`, one of [`End::NAMES`].
    pub fn ended(&self, name: &str) -> u64 {
        self.outcomes.get(name).copied().unwrap_or_default()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} connections", self.accepted)?;
        let named = End::NAMES.iter().map(|name| (*name, self.ended(name))).filter(|(_, count)| *count > 0);
        for (at, (name, count)) in named.enumerate() {
            write!(f, "{}{count} {name}", if at == 0 { " (" } else { ", " })?;
        }
        if !self.outcomes.is_empty() {
            write!(f, ")")?;
        }
        write!(f, ", {} refused, {} messages, {} bytes", self.refused, self.messages, self.bytes)?;
        if self.accept_errors > 0 {
            write!(f, ", {} failed accepts", self.accept_errors)?;
        }
        if self.panicked > 0 {
            write!(f, ", {} PANICKED (a bug)", self.panicked)?;
        }
        Ok(())
    }
}
