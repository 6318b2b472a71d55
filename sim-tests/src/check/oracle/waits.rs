//! Section 8: the waits of one side, when each began and when it passes.

use crate::scenario::Scenario;
use crate::scenario::defaults;
use crate::support::Millis;
use echo_core::{Deadline, Role};
use std::time::Duration;

/// The waits of one side.
#[derive(Debug)]
pub(super) struct Waits {
    lengths: [Millis; 10],
    /// The start of each, in the order of [`Deadline::ALL`].
    pub(super) since: [Option<Millis>; 10],
    pub(super) passed: [bool; 10],
}

impl Waits {
    pub(super) fn new(scenario: &Scenario, role: Role) -> Self {
        let deadlines = defaults::deadlines_of(scenario, role);
        let whole = |length: Duration| Millis::try_from(length.as_millis()).unwrap_or(Millis::MAX);
        let lengths = Deadline::ALL.map(|deadline| whole(deadlines.length(deadline)));
        Self { lengths, since: [None; 10], passed: [false; 10] }
    }

    /// Returns whether the wait has passed.
    pub(super) fn has_passed(&self, deadline: Deadline) -> bool {
        self.passed[deadline as usize]
    }

    /// Restarts a wait, because something it waits for has arrived.
    pub(super) fn stir(&mut self, deadline: Deadline, now: Millis) {
        if let Some(since) = &mut self.since[deadline as usize] {
            *since = now;
        }
    }

    /// Restarts a wait if `holds`.
    pub(super) fn stir_if(&mut self, deadline: Deadline, now: Millis, holds: bool) {
        if holds {
            self.stir(deadline, now);
        }
    }

    /// Restarts the waits that are due by `now`, because the peer takes what it is sent (8.6). The idle wait restarts
    /// only if `left`.
    pub(super) fn begin_anew(&mut self, now: Millis, left: bool) {
        use Deadline::{Answer, Close, Drain, Fin, Idle, Linger, Write};
        for deadline in [Answer, Idle, Write, Drain, Close, Fin, Linger] {
            let index = deadline as usize;
            if (left || deadline != Idle) && self.since[index].is_some_and(|since| since + self.lengths[index] <= now) {
                self.since[index] = Some(now);
            }
        }
    }

    /// Returns when the next wait passes.
    pub(super) fn next(&self) -> Option<Millis> {
        self.since.iter().zip(&self.lengths).filter_map(|(since, length)| Some((*since)? + length)).min()
    }

    /// Lets the first wait that is due by `now` pass (8.3), and returns it.
    pub(super) fn pass(&mut self, now: Millis) -> Option<Deadline> {
        let is_due = |deadline: &Deadline| {
            let index = *deadline as usize;
            self.since[index].is_some_and(|since| since + self.lengths[index] <= now)
        };
        let deadline = Deadline::ALL.into_iter().find(is_due)?;
        self.passed[deadline as usize] = true;
        self.since[deadline as usize] = None;
        Some(deadline)
    }
}
