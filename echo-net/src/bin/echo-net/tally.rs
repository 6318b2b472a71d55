//! Counts what happened to the messages of this program.

use crate::exit::counted;
use crate::latency::Latency;
use echo_net::echo_core::Outcome;
use echo_net::{Answer, RequestError};

/// Counts of answers, and of messages without one.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) latency: Latency,
    refused: usize,
    unknown: usize,
    changed: usize,
}

impl Tally {
    /// Counts `message` and its answer.
    pub(crate) fn add(&mut self, message: &[u8], answer: &Result<Answer, RequestError>) {
        match answer {
            Ok(answer) => {
                self.latency.add(answer.stamps.delay());
                self.changed += usize::from(answer.payload != message);
            }
            Err(RequestError::Refused { .. } | RequestError::TooBig { .. }) => self.refused += 1,
            Err(_) => self.unknown += 1,
        }
    }

    /// Returns the outcome with the messages that were refused in this program and never sent.
    pub(crate) fn with_refusals(&self, mut outcome: Outcome) -> Outcome {
        let refused = u64::try_from(self.refused).unwrap_or(u64::MAX);
        outcome.account.refused = outcome.account.refused.max(refused);
        outcome
    }

    /// Describes what went wrong, if anything.
    pub(crate) fn problem(&self) -> Option<String> {
        let counts = [
            (self.refused, "refused: never ran, safe to send again"),
            (self.unknown, "without an answer: may have run"),
            (self.changed, "answered with other bytes than were sent"),
        ];
        let problems = counts.into_iter().filter(|(count, _)| *count > 0);
        let problems: Vec<_> = problems.map(|(count, what)| format!("{} {what}", counted(count, "message"))).collect();
        Some(problems.join("; ")).filter(|problems| !problems.is_empty())
    }
}
