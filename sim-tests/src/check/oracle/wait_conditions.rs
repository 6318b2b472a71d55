//! Section 8: what each side waits for. A wait begins when its condition becomes true, and ends when it becomes false.

use super::mutation::Mutation;
use super::side::{Fin, Side};
use echo_core::Role;

/// The conditions, in the order of [`Deadline::ALL`].
const WAITS: [fn(&Side) -> bool; 10] = [
    // connect
    |side| side.role == Role::Client && side.is_framed() && !side.received.preface,
    // detect
    |side| side.role == Role::Server && side.is_framed() && side.received.begun && !side.received.preface,
    // answer
    |side| side.role == Role::Client && !side.is_ending() && side.received.answers < side.sent.requests,
    // idle
    |side| {
        let from_the_start = side.role == Role::Server && !side.received.begun;
        let waits = !side.is_framed() || from_the_start || side.received.preface;
        waits && !side.is_ending() && !side.awaits_calls()
    },
    // write
    |side| !side.out.is_empty() || side.lost,
    // drain
    |side| {
        let waits = side.verdict.is_none() && side.is_framed() && !side.is_bent(Mutation::NoDrain);
        let answers = side.is_ending() && side.awaits_calls() && !side.is_bent(Mutation::NoDrain);
        answers || waits && side.sent.close.is_none() && (side.close_command.is_some() || side.sent.goaway.is_some())
    },
    // close
    |side| {
        let waits = side.role == Role::Server && side.sent.close.is_some() && !side.is_bent(Mutation::NoClose);
        waits && side.verdict.is_none()
    },
    // fin
    |side| side.is_framed() && has_sent_all(side) && !side.sent.fin && !side.received.fin,
    // linger
    |side| side.fin == Fin::Left && !side.received.fin && !side.over,
    // shutdown
    |side| side.is_ending() && !side.over,
];

/// Returns whether both CLOSE frames were exchanged, or one with an error code was sent or received.
pub(super) fn has_sent_all(side: &Side) -> bool {
    side.failed || (side.sent.close.is_some() && side.received.close.is_some())
}

impl Side {
    /// Starts and stops waits according to the facts. A wait that has passed does not start again (8.2).
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
