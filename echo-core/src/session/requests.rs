//! Requests and answers.

use super::Session;
use crate::close::{CloseHandshake, MachineEvent};
use crate::frame;
use crate::plain::ctime_header;
use crate::stamp::Stamp;
use crate::timers::Deadline;
use std::time::Duration;

impl Session {
    /// Client: queues a request that the machine accepted. Returns its number.
    pub(crate) fn ask(&mut self, payload: &[u8], now: Duration) -> u64 {
        let seq = self.machine.account().asked;
        if !self.held {
            self.restart_idle(now);
        }
        self.starts.push_back((seq, self.outbox.mark()));
        let answer_due = if self.machine.policy().handshake == CloseHandshake::None {
            self.outbox.payload(payload);
            !payload.is_empty()
        } else {
            self.outbox.append(|out| frame::echo_header(out, seq, Stamp(0), payload.len()));
            self.outbox.stamp_later();
            self.outbox.payload(payload);
            !self.held
        };
        if answer_due && !self.machine.is_ending() {
            self.timers.ensure(Deadline::Answer, now, &self.config.deadlines);
        }
        self.rearm(now);
        seq
    }

    /// Client on the plain wire: handles received bytes. Nothing marks the end of an answer, so the wait for it ends.
    pub(crate) fn handle_text(&mut self, text: &[u8], now: Duration) {
        self.count(text);
        self.restart_idle(now);
        self.timers.stop(Deadline::Answer);
    }

    /// Client: handles a received answer. The wait for the next one begins.
    pub(crate) fn answered(&mut self, payload: &[u8], now: Duration) {
        self.count(payload);
        self.restart_idle(now);
        if self.owes_us() && !self.machine.is_ending() {
            self.start(Deadline::Answer, now);
        } else {
            self.timers.stop(Deadline::Answer);
        }
    }

    /// Server: queues the answer to request `seq` as a REPLY.
    pub(crate) fn reply(&mut self, seq: u64, t1: Stamp, payload: &[u8], now: Duration) {
        let t2 = self.stamp(now);
        self.starts.push_back((seq, self.outbox.mark()));
        self.outbox.append(|out| frame::reply_header(out, seq, [t1, t2, t2], payload.len()));
        self.outbox.stamp_later();
        self.finish_answer(seq, payload, now);
    }

    /// Server: queues the answer to a plain message.
    pub(crate) fn answer_plainly(&mut self, seq: u64, message: &[u8], now: Duration) {
        let stamp = self.wall_epoch.after(now);
        if self.time.as_ref().is_none_or(|(second, _)| *second != stamp.seconds()) {
            self.time = Some((stamp.seconds(), ctime_header(stamp, (self.config.utc_offset)(stamp)).into()));
        }
        if let Some((_, header)) = &self.time {
            self.outbox.append(|out| out.extend_from_slice(header.as_bytes()));
        }
        self.finish_answer(seq, message, now);
    }

    pub(super) fn finish_answer(&mut self, seq: u64, payload: &[u8], now: Duration) {
        self.outbox.payload(payload);
        self.count(payload);
        self.restart_idle(now);
        self.apply(MachineEvent::Answered(seq), now);
    }

    pub(super) fn count(&mut self, payload: &[u8]) {
        self.traffic.messages += 1;
        self.traffic.bytes += payload.len() as u64;
    }
}
