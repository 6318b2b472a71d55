//! Settings in which a scenario differs from [`defaults`](crate::scenario::defaults): deadlines, the server's limit, and
//! how long its handler takes.

use crate::support::{Millis, ScenarioError, number, pick};
use echo_core::Deadline;
use std::collections::BTreeMap;
use std::fmt;

/// The settings of one scenario.
///
/// In an id, each is a separate part behind the network: `/limit-100/handler-30/deadline-drain-50`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Overrides {
    /// The longest payload that the server accepts, or a plain line in one piece, in bytes.
    pub limit: Option<usize>,
    /// The time from a request to its answer, if the server is a service. `None` if it echoes at once.
    pub handler: Option<Millis>,
    /// Deadlines of both sides that replace the defaults.
    pub deadlines: BTreeMap<Deadline, Millis>,
}

impl Overrides {
    /// Checks that all values are in their ranges.
    pub(crate) fn check(&self) -> Result<(), ScenarioError> {
        if let Some(limit) = self.limit.filter(|limit| !(1..=1 << 20).contains(limit)) {
            return Err(ScenarioError::Parse(format!("the limit must be from 1 byte to 1 MiB, not {limit}")));
        }
        if let Some(time) = self.handler.filter(|time| *time > 100_000) {
            return Err(ScenarioError::Parse(format!("the handler must take from 0 to 100000 ms, not {time}")));
        }
        match self.deadlines.iter().find(|(_, length)| !(1..=100_000).contains(*length)) {
            None => Ok(()),
            Some((name, length)) => {
                Err(ScenarioError::Parse(format!("the deadline {name} must be from 1 to 100000 ms, not {length}")))
            }
        }
    }

    /// Parses one part of an id; `None` if it is no override.
    pub(crate) fn part(&mut self, part: &str) -> Option<Result<(), ScenarioError>> {
        if let Some(limit) = part.strip_prefix("limit-") {
            return Some(self.set_limit(limit));
        }
        if let Some(time) = part.strip_prefix("handler-") {
            return Some(self.set_handler(time));
        }
        let rest = part.strip_prefix("deadline-")?;
        Some(match rest.split_once('-') {
            Some((name, length)) => self.set_deadline(name, length),
            None => Err(ScenarioError::Parse(format!("expected deadline-NAME-MS, got {part:?}"))),
        })
    }

    pub(crate) fn set_limit(&mut self, limit: &str) -> Result<(), ScenarioError> {
        let bytes =
            number(limit).ok_or_else(|| ScenarioError::Parse(format!("expected a limit in bytes, got {limit:?}")))?;
        match self.limit.replace(bytes) {
            None => Ok(()),
            Some(_) => Err(ScenarioError::Parse("the limit is given twice".into())),
        }
    }

    pub(crate) fn set_handler(&mut self, time: &str) -> Result<(), ScenarioError> {
        let ms = number(time).ok_or_else(|| ScenarioError::Parse(format!("expected milliseconds, got {time:?}")))?;
        match self.handler.replace(ms) {
            None => Ok(()),
            Some(_) => Err(ScenarioError::Parse("the handler is given twice".into())),
        }
    }

    pub(crate) fn set_deadline(&mut self, name: &str, length: &str) -> Result<(), ScenarioError> {
        let deadline = pick("deadline", name, &Deadline::ALL, Deadline::name)?;
        let ms =
            number(length).ok_or_else(|| ScenarioError::Parse(format!("expected milliseconds, got {length:?}")))?;
        match self.deadlines.insert(deadline, ms) {
            None => Ok(()),
            Some(_) => Err(ScenarioError::Parse(format!("the deadline {name} is given twice"))),
        }
    }
}

impl fmt::Display for Overrides {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(limit) = self.limit {
            write!(f, "/limit-{limit}")?;
        }
        if let Some(time) = self.handler {
            write!(f, "/handler-{time}")?;
        }
        self.deadlines.iter().try_for_each(|(name, length)| write!(f, "/deadline-{name}-{length}"))
    }
}
