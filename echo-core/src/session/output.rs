//! The output of a conversation: lends bytes to the transport and handles the result.

use super::{Fin, Session};
use crate::close::Role;
#[cfg(feature = "explore")]
use crate::close::table::Sample;
use crate::preface;
use crate::timers::Deadline;
use std::num::NonZero;
use std::time::Duration;

impl Session {
    /// Returns the next bytes to send, and sets the stamps in them to `now`. Both slices are empty if there is nothing
    /// to send.
    pub(crate) fn lend(&mut self, now: Duration) -> (&[u8], &[u8]) {
        let stamp = self.stamp(now);
        if self.held {
            let left = self.left_of_preface();
            let (header, _) = self.outbox.lend();
            return (&header[..left.min(header.len())], &[]);
        }
        self.outbox.stamp(stamp);
        self.outbox.lend()
    }

    pub(crate) fn has_output(&self) -> bool {
        self.outbox.waiting() > 0 && (!self.held || self.left_of_preface() > 0)
    }

    fn left_of_preface(&self) -> usize {
        preface::LENGTH.saturating_sub(usize::try_from(self.outbox.sent()).unwrap_or(usize::MAX))
    }

    pub(crate) fn sent(&mut self, count: usize, now: Duration) {
        if count == 0 {
            return;
        }
        self.outbox.consume(count);
        // The last one that has begun includes all before it.
        if let Some(seq) = self.outbox.take_begun() {
            #[cfg(feature = "explore")]
            if let Some(observe) = self.config.observe.filter(|_| self.role() == Role::Client) {
                observe(&self.machine, Sample::FirstByteLeft);
            }
            self.machine.note_begun(seq);
        }
        if !self.machine.is_ending() {
            self.timers.stop(Deadline::Write);
        }
        self.rearm(now);
    }

    pub(crate) fn fin_is_due(&self) -> bool {
        self.fin == Fin::Due
    }

    pub(crate) fn fin_sent(&mut self, now: Duration) {
        self.fin = Fin::Sent;
        self.rearm(now);
    }

    /// Notes that the transport takes no more bytes: waiting output is lost, and FIN counts as sent.
    pub(crate) fn write_failed(&mut self, now: Duration) {
        self.write_closed = true;
        // Nobody can be answered any more, so the idle wait is not held for an answer (clause 8.1).
        self.hold_waits(now);
    }

    /// Drops output that cannot be sent any more.
    pub(crate) fn drop_unsendable(&mut self) {
        if self.write_closed {
            self.drop_output();
            if self.fin == Fin::Due {
                self.fin = Fin::Sent;
            }
        }
    }

    /// Returns the number of the first request or answer that has sent no byte.
    pub(super) fn first_unsent(&self) -> Option<NonZero<u64>> {
        self.outbox.first_unsent().and_then(|(seq, _)| NonZero::new(seq))
    }

    /// Drops all waiting output. Requests in it that have sent no byte never will.
    pub(super) fn drop_output(&mut self) {
        if self.role() == Role::Server {
            self.lost_from = self.lost_from.or(self.first_unsent());
        }
        self.outbox.clear();
    }
}
