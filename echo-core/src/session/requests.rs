//! Requests and answers.

use super::{Session, TimeText, Wire};
use crate::close::{CloseHandshake, MachineEvent};
use crate::config::HIGH_WATER;
use crate::error::{CloseCode, Failure};
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
        self.outbox.begin(seq);
        let answer_due = if self.machine.policy().handshake == CloseHandshake::None {
            self.outbox.payload(payload);
            !payload.is_empty()
        } else {
            self.outbox.frame(&frame::echo_head(seq, Stamp(0), payload.len()), payload);
            !self.held
        };
        if answer_due && !self.machine.is_ending() {
            self.timers.ensure(Deadline::Answer, now, &self.config.deadlines);
        }
        self.rearm(now);
        seq
    }

    /// Client: makes the next request, if there is nothing to decide. Otherwise returns `None`, and changes nothing.
    pub(crate) fn ask_in_order(&mut self, payload: &[u8], now: Duration) -> Option<u64> {
        let seq = self.next_in_calm()?;
        self.note_requests(1, now);
        self.outbox.begin(seq);
        self.outbox.frame(&frame::echo_head(seq, Stamp(0), payload.len()), payload);
        self.timers.ensure(Deadline::Write, now, &self.config.deadlines);
        Some(seq)
    }

    /// Client: returns the number of the next request, if it can be queued without a decision.
    #[inline]
    fn next_in_calm(&self) -> Option<u64> {
        let is_framed = self.machine.policy().handshake != CloseHandshake::None;
        let is_open = self.is_calm() && !self.held && !self.paused && is_framed;
        self.machine.next_request().filter(|_| is_open)
    }

    /// Client: returns the number of the next request, if it can be sent past the empty output without a decision.
    pub(crate) fn next_request(&self) -> Option<u64> {
        self.next_in_calm().filter(|_| self.outbox.waiting() == 0)
    }

    /// Client: notes that the next `count` requests were made.
    pub(crate) fn note_requests(&mut self, count: u64, now: Duration) {
        self.machine.note_asked(count);
        self.start(Deadline::Idle, now);
        self.timers.ensure(Deadline::Answer, now, &self.config.deadlines);
    }

    /// Client: notes which requests before `next` have sent a byte, and starts the waits that match the state.
    pub(crate) fn settle_requests(&mut self, next: u64, now: Duration) {
        let unsent = self.outbox.first_unsent().map_or(next, |(seq, _)| seq);
        self.machine.note_begun(unsent - 1);
        self.rearm(now);
    }

    /// Client: returns the numbers of the answers that are owed, if they can be taken without a decision.
    pub(crate) fn owed_in_order(&self) -> Option<std::ops::RangeInclusive<u64>> {
        self.machine.owed_in_order().filter(|_| self.is_calm() && self.failed.is_none())
    }

    /// Client: notes the next `count` answers, with `bytes` of payload.
    pub(crate) fn note_answers(&mut self, count: u64, bytes: usize, now: Duration) {
        self.machine.note_answers(count);
        self.answered(count, bytes, now);
    }

    /// Client on the plain wire: handles received bytes. Nothing marks the end of an answer, so the wait for it ends.
    pub(crate) fn handle_text(&mut self, text: &[u8], now: Duration) {
        self.count(1, text.len());
        self.restart_idle(now);
        self.timers.stop(Deadline::Answer);
    }

    /// Client: handles `count` received answers, with `bytes` of payload. The wait for the next one begins.
    pub(crate) fn answered(&mut self, count: u64, bytes: usize, now: Duration) {
        self.count(count, bytes);
        self.restart_idle(now);
        if self.owes_us() && !self.machine.is_ending() {
            self.start(Deadline::Answer, now);
        } else {
            self.timers.stop(Deadline::Answer);
        }
    }

    /// Returns whether a message in order needs nothing decided if the machine decides nothing, either: the idle wait is
    /// not held, the transport takes bytes, and there is room for an answer.
    #[inline]
    fn is_calm(&self) -> bool {
        #[cfg(feature = "explore")]
        if self.config.observe.is_some() {
            return false;
        }
        !self.idle_held && !self.write_closed && self.outbox.waiting() < HIGH_WATER
    }

    /// Server: accepts and answers the next request, if there is nothing to decide. Otherwise returns `false`, and
    /// changes nothing. It does what two events of the machine do, with the waits that match the state afterwards.
    #[inline]
    pub(crate) fn serve(&mut self, seq: u64, t1: Stamp, payload: &[u8], now: Duration) -> bool {
        let is_accepted = self.accept_in_order(seq);
        if is_accepted {
            self.queue_reply(seq, t1, payload, now);
            self.settle_served(now);
        }
        is_accepted
    }

    /// Server: accepts request `seq`, if it is the next one and there is nothing to decide.
    #[inline]
    fn accept_in_order(&mut self, seq: u64) -> bool {
        let is_next = self.is_calm() && !self.user_answers() && self.machine.next_in_order() == Some(seq);
        if is_next {
            self.machine.note_served(1);
        }
        is_next
    }

    /// Server: returns the number of the next request, if it can be answered past the empty output without a decision.
    #[inline]
    pub(crate) fn next_in_order(&self) -> Option<u64> {
        let is_free = self.is_calm() && !self.user_answers() && self.outbox.waiting() == 0;
        self.machine.next_in_order().filter(|_| is_free)
    }

    /// Server: notes that the next `count` requests were accepted and answered, with `bytes` of payload.
    pub(crate) fn note_batch(&mut self, count: u64, bytes: usize) {
        self.machine.note_served(count);
        self.count(count, bytes);
    }

    /// Notes that `count` bytes of answers were sent past the empty output.
    pub(crate) fn skip_sent(&mut self, count: usize) {
        self.outbox.skip(count);
    }

    /// Queues an answer that has its stamps and whose first `sent` bytes were sent.
    pub(crate) fn queue_unsent(&mut self, seq: u64, head: &[u8], payload: &[u8], sent: usize) {
        if sent == 0 {
            self.outbox.begin(seq);
        }
        let (of_head, of_payload) = (sent.min(head.len()), sent.saturating_sub(head.len()));
        self.outbox.append(|out| out.extend_from_slice(&head[of_head..]));
        self.outbox.rest(&payload[of_payload..], payload.len());
    }

    /// Queues the rest of a part of plain answers that had `size` bytes.
    pub(crate) fn queue_plain_rest(&mut self, rest: &[u8], size: usize) {
        self.outbox.rest(rest, size);
    }

    /// Starts the waits that match the state after a batch was answered.
    pub(crate) fn settle_batch(&mut self, now: Duration) {
        self.start(Deadline::Idle, now);
        self.rearm(now);
    }

    /// Client: takes the next answer, if there is nothing to decide. Otherwise returns `false`, and changes nothing.
    pub(crate) fn take_answer(&mut self, seq: u64, payload: &[u8], now: Duration) -> bool {
        let is_next = self.owed_in_order().is_some_and(|owed| *owed.start() == seq && !owed.is_empty());
        if is_next {
            self.note_answers(1, payload.len(), now);
        }
        is_next
    }

    /// Server: queues the answer to request `seq` as a REPLY.
    pub(crate) fn reply(&mut self, seq: u64, t1: Stamp, payload: &[u8], now: Duration) {
        self.queue_reply(seq, t1, payload, now);
        self.finish_answer(seq, now);
    }

    #[inline]
    fn queue_reply(&mut self, seq: u64, t1: Stamp, payload: &[u8], now: Duration) {
        let t2 = self.stamp(now);
        self.outbox.begin(seq);
        self.outbox.frame(&frame::reply_head(seq, [t1, t2, t2], payload.len()), payload);
        self.count(1, payload.len());
    }

    /// Server: queues an answer that the user gave, on either wire.
    pub(super) fn queue_given(&mut self, seq: u64, stamps: [Stamp; 2], answer: Result<&[u8], Failure>, now: Duration) {
        let payload = answer.as_ref().copied().unwrap_or_default();
        if let Wire::Plain = self.wire {
            return match answer {
                Ok(payload) => self.queue_plainly(payload, now),
                Err(failure) => {
                    self.queue_line(failure.code, &failure.text);
                    self.count(1, 0);
                }
            };
        }
        let [t1, t2] = stamps;
        self.outbox.begin(seq);
        if let Err(failure) = &answer {
            self.outbox.append(|out| frame::failed(out, seq, failure));
        }
        self.outbox.frame(&frame::reply_head(seq, [t1, t2, t2], payload.len()), payload);
        self.count(1, payload.len());
    }

    /// Plain wire: queues a line that is no answer (clause 2.6).
    pub(super) fn queue_line(&mut self, code: CloseCode, text: &str) {
        let line = match text {
            "" => format!("echo: {}\n", code.name()),
            reason => format!("echo: {}\n", reason.replace(char::is_control, " ")),
        };
        self.outbox.append(|out| out.extend_from_slice(line.as_bytes()));
    }

    /// Server: accepts and answers the next plain message, as [`serve`](Self::serve) does a request.
    pub(crate) fn serve_plainly(&mut self, seq: u64, message: &[u8], now: Duration) -> bool {
        let is_accepted = self.accept_in_order(seq);
        if is_accepted {
            self.queue_plainly(message, now);
            self.settle_served(now);
        }
        is_accepted
    }

    /// Server: queues the answer to a plain message.
    pub(crate) fn answer_plainly(&mut self, seq: u64, message: &[u8], now: Duration) {
        self.queue_plainly(message, now);
        self.finish_answer(seq, now);
    }

    fn queue_plainly(&mut self, message: &[u8], now: Duration) {
        self.set_time(now);
        if let Some(time) = &self.time {
            self.outbox.append(|out| out.extend_from_slice(time.text.as_bytes()));
        }
        self.outbox.payload(message);
        self.count(1, message.len());
    }

    /// Returns the time before an answer to a plain message.
    pub(crate) fn time_text(&mut self, now: Duration) -> &str {
        self.set_time(now);
        self.time.as_ref().map_or("", |time| &time.text)
    }

    fn set_time(&mut self, now: Duration) {
        let stamp = self.wall_epoch.after(now);
        let second = stamp.seconds();
        if self.time.as_ref().is_none_or(|time| time.second != second) {
            let text = ctime_header(stamp, (self.config.utc_offset)(stamp));
            self.time = Some(Box::new(TimeText { second, text }));
        }
    }

    /// Starts the waits that match the state after an answer was queued, while nothing has ended.
    #[inline]
    fn settle_served(&mut self, now: Duration) {
        self.start(Deadline::Idle, now);
        self.timers.ensure(Deadline::Write, now, &self.config.deadlines);
        if self.outbox.waiting() >= HIGH_WATER {
            self.rearm(now);
        }
    }

    fn finish_answer(&mut self, seq: u64, now: Duration) {
        self.restart_idle(now);
        self.apply(MachineEvent::Answered(seq), now);
    }

    #[inline]
    fn count(&mut self, messages: u64, bytes: usize) {
        self.traffic.messages += messages;
        self.traffic.bytes += bytes as u64;
    }
}
