//! The hash of a session: what decides its further behaviour.

use super::Session;
use crate::preface;
use std::hash::{Hash, Hasher};

/// See [`Connection`](crate::Connection) for what the hash promises. Positions in the output count
/// from the bytes already sent, so the past makes no difference. The settings belong to no conversation, `traffic` only
/// reports, and the cached time text can be made again: none of them is hashed.
impl Hash for Session {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { config: _, epoch: _, traffic: _, time: _, machine, wire, greeted, held, timers, outbox, .. } = self;
        (machine, wire, greeted, held, timers, self.paused, self.idle_held, self.answer_held).hash(state);
        (&self.owed, &self.failed).hash(state);
        outbox.waits().hash(state);
        let Self { lost_from, word_end, fin, write_closed, aborted, .. } = self;
        (lost_from, fin, write_closed, aborted).hash(state);
        let sent = outbox.sent();
        for start in outbox.unsent() {
            start.hash(state);
        }
        // The position of a CLOSE matters until it is sent. How much of the preface is sent matters until the peer's is
        // read.
        word_end.map(|end| end.get().saturating_sub(sent)).hash(state);
        if *held {
            sent.min(preface::LENGTH as u64).hash(state);
        }
    }
}
