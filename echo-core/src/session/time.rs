//! Deadlines: which ones run, when they start again, and what happens when one passes.

use super::{Fin, Session};
use crate::timers::Deadline;
use std::time::Duration;

impl Session {
    #[inline]
    pub(crate) fn start(&mut self, deadline: Deadline, now: Duration) {
        self.timers.start(deadline, now, &self.config.deadlines);
    }

    /// Starts the idle wait again after a complete request or answer, unless the ending has begun.
    pub(super) fn restart_idle(&mut self, now: Duration) {
        if !self.machine.is_ending() {
            self.start(Deadline::Idle, now);
        }
    }

    /// Clause 8.5: delays all deadlines by `length`, because this side could not act in that time.
    pub(crate) fn postpone(&mut self, length: Duration) {
        self.timers.postpone(length);
    }

    /// Clause 8.6: starts due waits again while the peer takes enough, because what they wait for may still arrive.
    pub(crate) fn look(&mut self, now: Duration, unacknowledged: usize) {
        use Deadline::{Answer, Close, Drain, Fin, Idle, Linger, Write};
        if self.progress.look(self.outbox.sent(), unacknowledged, self.config.progress) {
            for deadline in [Answer, Write, Drain, Close, Fin, Linger] {
                self.timers.renew(deadline, now, &self.config.deadlines);
            }
            // A peer that has taken all may have done so long ago, and be idle since.
            if unacknowledged > 0 {
                self.timers.renew(Idle, now, &self.config.deadlines);
            }
        }
    }

    pub(crate) fn expired(&mut self, now: Duration) -> Option<Deadline> {
        self.timers.expired(now)
    }

    pub(crate) fn runs(&self, deadline: Deadline) -> bool {
        self.timers.runs(deadline)
    }

    /// Treats `deadline` as passed. Returns whether it ran.
    pub(crate) fn expire(&mut self, deadline: Deadline) -> bool {
        let ran = self.timers.runs(deadline);
        self.timers.stop(deadline);
        ran
    }

    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        self.timers.next()
    }

    /// Notes whether the user of this side pauses reading.
    pub(crate) fn pause(&mut self, paused: bool, now: Duration) {
        self.paused = paused;
        self.rearm(now);
    }

    /// Stops the idle and answer waits while this side does not read. Its output is full (clause 4.9) or its user
    /// pauses, so it cannot tell whether the peer is idle, and a pause is not the peer's delay. Nor is a peer idle that
    /// waits for an answer of the user.
    pub(super) fn hold_waits(&mut self, now: Duration) {
        let ending = self.machine.is_ending();
        if !ending && (self.paused || !self.wants_input() || self.owed() > 0) {
            self.idle_held |= self.timers.runs(Deadline::Idle);
            self.timers.stop(Deadline::Idle);
        } else if std::mem::take(&mut self.idle_held) {
            self.restart_idle(now);
        }
        if !ending && self.paused {
            self.answer_held |= self.timers.runs(Deadline::Answer);
            self.timers.stop(Deadline::Answer);
        } else if std::mem::take(&mut self.answer_held) && self.owes_us() {
            self.start(Deadline::Answer, now);
        }
    }

    /// Starts and stops deadlines to match the state. None is prolonged once the ending has begun (clause 8.2).
    pub(super) fn rearm(&mut self, now: Duration) {
        if self.aborted || self.is_over() {
            return self.timers.clear();
        }
        self.hold_waits(now);
        let lengths = &self.config.deadlines;
        if self.machine.is_ending() {
            self.timers.stop(Deadline::Idle);
            self.timers.stop(Deadline::Answer);
            self.timers.ensure(Deadline::Shutdown, now, lengths);
        }
        // FIN waits behind output that the peer still takes. The wait for the peer's FIN begins when FIN is sent.
        let fin_left = self.fin == Fin::Sent;
        let waiting = self.machine.waiting().filter(|deadline| *deadline != Deadline::Linger || fin_left);
        for deadline in [Deadline::Drain, Deadline::Close, Deadline::Fin, Deadline::Linger] {
            if waiting == Some(deadline) {
                self.timers.ensure(deadline, now, lengths);
            } else {
                self.timers.stop(deadline);
            }
        }
        if self.has_output() {
            self.timers.ensure(Deadline::Write, now, lengths);
        } else {
            self.timers.stop(Deadline::Write);
        }
    }
}
