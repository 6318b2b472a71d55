//! Section 8: who waits for what. A wait begins when its condition holds, and is over when it holds no more.

use super::bend::Bend;
use super::side::Side;
use crate::plan::Millis;
use crate::scenario::Scenario;
use crate::setting;
use echo_core::{Deadline, Role};
use std::time::Duration;

/// The waits of one end.
#[derive(Debug)]
pub(super) struct Waits {
    lengths: [Millis; 10],
    /// When each began, in the order of [`Deadline::ALL`].
    since: [Option<Millis>; 10],
    passed: [bool; 10],
}

/// In the order of [`Deadline::ALL`].
const WAITS: [fn(&Side) -> bool; 10] = [
    // connect
    |side| side.role == Role::Client && side.is_framed() && !side.heard.preface,
    // detect
    |side| side.role == Role::Server && side.is_framed() && side.heard.begun && !side.heard.preface,
    // answer
    |side| side.role == Role::Client && !side.is_ending() && side.heard.answers < side.said.requests,
    // idle
    |side| {
        let from_the_start = side.role == Role::Server && !side.heard.begun;
        !side.is_ending() && (!side.is_framed() || from_the_start || side.heard.preface)
    },
    // write
    |side| !side.out.is_empty() || side.lost,
    // drain
    |side| {
        let waits = side.verdict.is_none() && side.is_framed() && !side.is_bent(Bend::NoDrain);
        waits && side.said.close.is_none() && (side.wish.is_some() || side.said.goaway.is_some())
    },
    // close
    |side| {
        let waits = side.role == Role::Server && side.said.close.is_some() && !side.is_bent(Bend::NoClose);
        waits && side.verdict.is_none()
    },
    // fin
    |side| side.is_framed() && has_said_it_all(side) && !side.said.fin && !side.heard.fin,
    // linger
    |side| side.fin_left && !side.heard.fin && !side.over,
    // shutdown
    |side| side.is_ending() && !side.over,
];

/// Both last words, or an error's.
pub(super) fn has_said_it_all(side: &Side) -> bool {
    side.failed || (side.said.close.is_some() && side.heard.close.is_some())
}

impl Waits {
    pub(super) fn new(scenario: &Scenario, role: Role) -> Self {
        let deadlines = setting::deadlines_of(scenario, role);
        let whole = |length: Duration| Millis::try_from(length.as_millis()).unwrap_or(Millis::MAX);
        let lengths = Deadline::ALL.map(|deadline| whole(deadlines.length(deadline)));
        Self { lengths, since: [None; 10], passed: [false; 10] }
    }

    /// Whether it has passed.
    pub(super) fn has_passed(&self, deadline: Deadline) -> bool {
        self.passed[deadline as usize]
    }

    /// What it waits for has come, and it waits for the next.
    pub(super) fn stir(&mut self, deadline: Deadline, now: Millis) {
        if let Some(since) = &mut self.since[deadline as usize] {
            *since = now;
        }
    }

    /// As [`Waits::stir`], under a condition.
    pub(super) fn stir_if(&mut self, deadline: Deadline, now: Millis, holds: bool) {
        if holds {
            self.stir(deadline, now);
        }
    }

    /// Those that are due by `now` begin anew, for the other end takes what it is sent (8.6).
    pub(super) fn begin_anew(&mut self, now: Millis, left: bool) {
        use Deadline::{Answer, Close, Drain, Fin, Idle, Linger, Write};
        for deadline in [Answer, Idle, Write, Drain, Close, Fin, Linger] {
            let index = deadline as usize;
            if (left || deadline != Idle) && self.since[index].is_some_and(|since| since + self.lengths[index] <= now) {
                self.since[index] = Some(now);
            }
        }
    }

    /// When the next passes.
    pub(super) fn next(&self) -> Option<Millis> {
        self.since.iter().zip(&self.lengths).filter_map(|(since, length)| Some((*since)? + length)).min()
    }

    /// Lets the first that is due by `now` pass (8.3).
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

impl Side {
    /// Begins and ends waits, as the facts are now. None begins a second time after it has passed (8.2).
    pub(super) fn mind_waits(&mut self) {
        for (index, waits) in WAITS.iter().enumerate() {
            let waits = waits(self) && !self.waits.passed[index];
            let since = &mut self.waits.since[index];
            match waits {
                true => _ = since.get_or_insert(self.now),
                false => *since = None,
            }
        }
    }
}
