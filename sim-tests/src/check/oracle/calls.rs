//! The calls of a service: an accepted request is answered when its call has ended.

use crate::support::Millis;
use std::collections::VecDeque;

/// The calls of a server, in the order of the requests.
#[derive(Debug)]
pub(super) struct Calls {
    /// How long a call takes. `None` if the server echoes.
    takes: Option<Millis>,
    /// When each running call ends.
    ends: VecDeque<Millis>,
    /// Calls that have ended.
    pub(super) ended: u64,
}

impl Calls {
    pub(super) fn new(takes: Option<Millis>) -> Self {
        Self { takes, ends: VecDeque::new(), ended: 0 }
    }

    /// Begins a call at `now`. That of a server that echoes ends at once.
    pub(super) fn begin(&mut self, now: Millis) {
        match self.takes {
            Some(takes) => self.ends.push_back(now + takes),
            None => self.ended += 1,
        }
    }

    /// Ends the calls that are due by `now`.
    pub(super) fn end(&mut self, now: Millis) {
        while self.ends.pop_front_if(|end| *end <= now).is_some() {
            self.ended += 1;
        }
    }

    /// Returns whether a call runs.
    pub(super) fn run(&self) -> bool {
        !self.ends.is_empty()
    }

    /// Returns when the next call ends.
    pub(super) fn next(&self) -> Option<Millis> {
        self.ends.front().copied()
    }
}
