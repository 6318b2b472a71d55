//! What of a session decides what it does from now on.

use super::Session;
use crate::preface;
use std::hash::{Hash, Hasher};

/// Positions in the output count from what was sent, so that the past does not tell sessions apart; nor do the
/// settings, which are part of no conversation, nor `traffic`, which only reports it, nor a text that can be made
/// again.
impl Hash for Session {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { config: _, epoch: _, traffic: _, time: _, machine, wire, greeted, held, timers, outbox, .. } = self;
        (machine, wire, greeted, held, timers, self.paused, self.idle_held, self.answer_held).hash(state);
        outbox.waits().hash(state);
        let Self { starts, lost_from, word_end, fin, write_closed, aborted, .. } = self;
        (lost_from, fin, write_closed, aborted).hash(state);
        let sent = outbox.sent();
        for (seq, mark) in starts {
            (seq, mark.offset - sent).hash(state);
        }
        // a CLOSE that has left is left behind; what of a preface has left matters until the peer's is read.
        word_end.map(|end| end.saturating_sub(sent)).hash(state);
        if *held {
            sent.min(preface::LENGTH as u64).hash(state);
        }
    }
}
