//! Statistics of a server.

use echo_core::{Deadline, End, Outcome, Tally, Traffic};
use std::collections::BTreeMap;
use std::fmt;

/// Totals of a server's run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Report {
    /// Connections accepted, including refused ones.
    pub accepted: u64,
    /// Accepted connections that were refused because a limit was reached. Refused requests are in `requests`.
    pub refused_connections: u64,
    /// Connections by the name of their end ([`End::name`]).
    #[cfg_attr(feature = "serde", serde(deserialize_with = "outcomes"))]
    pub outcomes: BTreeMap<&'static str, u64>,
    /// Connections that timed out, by the deadline ([`End::TimedOut`]).
    pub timed_out: BTreeMap<Deadline, u64>,
    /// Requests accepted, with their answers queued. The outcomes show whether clients received them.
    pub messages: u64,
    /// Payload bytes of these answers.
    pub bytes: u64,
    /// The fates of all requests of connections that have ended.
    pub requests: Tally,
    /// Requests that were answered with a failure ([`Failure`](echo_core::Failure)).
    pub failed_requests: u64,
    /// Calls of the service that panicked: their requests failed.
    pub panicked_calls: u64,
    /// Failed calls of accept.
    pub accept_errors: u64,
    /// Connections whose task panicked (a bug of this crate), and calls of [`OnEnd`](crate::OnEnd) that panicked.
    pub panicked: u64,
}

impl Report {
    pub(crate) fn count(&mut self, outcome: &Outcome, traffic: Traffic) {
        *self.outcomes.entry(outcome.end.name()).or_default() += 1;
        if let End::TimedOut(deadline) = outcome.end {
            *self.timed_out.entry(deadline).or_default() += 1;
        }
        let Tally { answered, refused, unknown } = outcome.account;
        self.requests.answered += answered;
        self.requests.refused += refused;
        self.requests.unknown += unknown;
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
        let refused = self.refused_connections;
        write!(f, ", {refused} refused at a limit, {} messages, {} bytes", self.messages, self.bytes)?;
        if self.accept_errors > 0 {
            write!(f, ", {} failed accepts", self.accept_errors)?;
        }
        if self.failed_requests > 0 {
            let requests = if self.failed_requests == 1 { "request" } else { "requests" };
            write!(f, ", {} {requests} failed", self.failed_requests)?;
        }
        if self.panicked_calls > 0 {
            let calls = if self.panicked_calls == 1 { "call" } else { "calls" };
            write!(f, ", {} {calls} panicked", self.panicked_calls)?;
        }
        if self.panicked > 0 {
            write!(f, ", {} PANICKED (a bug)", self.panicked)?;
        }
        Ok(())
    }
}

/// Reads the outcomes by their names. An unknown name is an error.
#[cfg(feature = "serde")]
fn outcomes<'de, D: serde::Deserializer<'de>>(from: D) -> Result<BTreeMap<&'static str, u64>, D::Error> {
    use serde::{Deserialize, de::Error};
    let counts = BTreeMap::<String, u64>::deserialize(from)?;
    let known = |name: &str| End::NAMES.into_iter().find(|known| *known == name);
    counts
        .into_iter()
        .map(|(name, count)| Ok((known(&name).ok_or_else(|| D::Error::unknown_variant(&name, &End::NAMES))?, count)))
        .collect()
}
