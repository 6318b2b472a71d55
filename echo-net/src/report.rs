//! Statistics of a server.

use echo_core::{End, Outcome, Traffic};
use std::collections::BTreeMap;
use std::fmt;

/// Totals of a server's run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Report {
    /// Connections accepted, including refused ones.
    pub accepted: u64,
    /// Accepted connections that were refused because a limit was reached.
    pub refused: u64,
    /// Connections by the name of their end ([`End::name`]).
    pub outcomes: BTreeMap<&'static str, u64>,
    /// Requests accepted, with their answers queued. The outcomes show whether clients received them.
    pub messages: u64,
    /// Payload bytes of these requests.
    pub bytes: u64,
    /// Calls of the service that panicked: their requests failed.
    pub failed_calls: u64,
    /// Failed calls of accept.
    pub accept_errors: u64,
    /// Connections whose task panicked (a bug of this crate), and calls of [`OnEnd`](crate::OnEnd) that panicked.
    pub panicked: u64,
}

impl Report {
    pub(crate) fn count(&mut self, outcome: &Outcome, traffic: Traffic) {
        *self.outcomes.entry(outcome.end.name()).or_default() += 1;
        self.messages += traffic.messages;
        self.bytes += traffic.bytes;
    }

    /// Returns how many connections ended as `name`, one of [`End::NAMES`].
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
        if self.failed_calls > 0 {
            write!(f, ", {} calls panicked", self.failed_calls)?;
        }
        if self.panicked > 0 {
            write!(f, ", {} PANICKED (a bug)", self.panicked)?;
        }
        Ok(())
    }
}
