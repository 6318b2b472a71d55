//! Answers that the user of a server gives, in any order. They leave in the order of the requests (clause 4.6).

use super::Session;
use crate::close::{HalfState, MachineEvent, Role};
use crate::config::HIGH_WATER;
use crate::error::{ApiMisuse, Failure};
use crate::stamp::Stamp;
use std::collections::VecDeque;
use std::time::Duration;

/// The accepted requests whose answers are not queued, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Owed {
    /// The number of the first.
    first: u64,
    requests: VecDeque<Request>,
    /// Bytes of their messages and of the answers that wait.
    bytes: usize,
    /// Plain messages that were cut off by quiet or by FIN, and that the user has not taken.
    cut_off: VecDeque<(u64, Vec<u8>)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Request {
    t1: Stamp,
    t2: Stamp,
    /// Bytes of its message.
    len: usize,
    /// Given, and waiting for those before it.
    answer: Option<Result<Vec<u8>, Failure>>,
}

impl Owed {
    fn push(&mut self, seq: u64, t1: Stamp, t2: Stamp, len: usize) {
        if self.requests.is_empty() {
            self.first = seq;
        }
        self.bytes += len;
        self.requests.push_back(Request { t1, t2, len, answer: None });
    }

    fn get_mut(&mut self, seq: u64) -> Option<&mut Request> {
        let at = usize::try_from(seq.checked_sub(self.first)?).ok()?;
        self.requests.get_mut(at)
    }

    /// Removes the first.
    fn pop(&mut self) -> Option<Request> {
        let request = self.requests.pop_front();
        self.first += 1;
        self.bytes -= request.as_ref().map_or(0, |request| request.len);
        if self.requests.is_empty() {
            self.requests = VecDeque::new();
        }
        request
    }

    /// Keeps an answer until those before it are given.
    fn keep(&mut self, seq: u64, answer: Result<&[u8], Failure>) {
        let len = length(&answer);
        if let Some(request) = self.get_mut(seq) {
            request.answer = Some(answer.map(<[u8]>::to_vec));
            self.bytes += len;
        }
    }

    /// Takes the first request's answer, if it was kept.
    fn take_ready(&mut self) -> Option<Result<Vec<u8>, Failure>> {
        let answer = self.requests.front_mut()?.answer.take()?;
        self.bytes -= length(&answer);
        Some(answer)
    }

    /// Returns the bytes of memory it owns, but for the messages of the requests, which their user has.
    pub(super) fn owned(&self) -> usize {
        let messages = self.requests.iter().map(|request| request.len).sum::<usize>();
        let cut_off = self.cut_off.iter().map(|(_, message)| message.capacity()).sum::<usize>();
        self.requests.capacity() * size_of::<Request>() + self.bytes - messages + cut_off
    }
}

fn length<T: AsRef<[u8]>>(answer: &Result<T, Failure>) -> usize {
    match answer {
        Ok(payload) => payload.as_ref().len(),
        Err(failure) => failure.text.len(),
    }
}

impl Session {
    /// Server: leaves the answers to the user.
    pub(crate) fn leave_answers_to_user(&mut self) {
        self.owed = Some(Box::default());
    }

    /// Server: returns whether the user gives the answers.
    #[inline]
    pub(crate) fn user_answers(&self) -> bool {
        self.owed.is_some()
    }

    /// Server: notes an accepted request. Its answer is echoed, or the user gives it later.
    pub(crate) fn accept(&mut self, seq: u64, t1: Stamp, payload: &[u8], now: Duration) {
        let t2 = self.stamp(now);
        match &mut self.owed {
            Some(owed) => {
                owed.push(seq, t1, t2, payload.len());
                self.note_owed(now);
            }
            None => self.reply(seq, t1, payload, now),
        }
    }

    /// The same on the plain wire.
    pub(crate) fn accept_plainly(&mut self, seq: u64, message: &[u8], now: Duration) {
        match &mut self.owed {
            Some(owed) => {
                owed.push(seq, Stamp(0), Stamp(0), message.len());
                self.note_owed(now);
            }
            None => self.answer_plainly(seq, message, now),
        }
    }

    /// A complete request came, and the idle wait does not run while an answer is owed (clause 8.1).
    fn note_owed(&mut self, now: Duration) {
        self.restart_idle(now);
        self.rearm(now);
    }

    /// Plain wire: keeps a message that was cut off, if the user has to answer it.
    pub(crate) fn keep_cut_off(&mut self, seq: u64, message: &[u8]) {
        if let Some(owed) = &mut self.owed {
            owed.cut_off.push_back((seq, message.to_vec()));
        }
    }

    pub(crate) fn take_cut_off(&mut self) -> Option<(u64, Vec<u8>)> {
        self.owed.as_mut()?.cut_off.pop_front()
    }

    /// Returns the numbers of the requests that wait for an answer of the user.
    pub(crate) fn unanswered(&self) -> impl Iterator<Item = u64> {
        let owed = self.owed.iter().flat_map(|owed| (owed.first..).zip(&owed.requests));
        owed.filter(|(_, request)| request.answer.is_none() && !self.write_closed).map(|(seq, _)| seq)
    }

    /// Returns whether one more request may be read.
    #[inline]
    pub(super) fn may_owe_more(&self) -> bool {
        self.owed
            .as_ref()
            .is_none_or(|owed| owed.requests.len() < self.config.unanswered.max(1) && owed.bytes < HIGH_WATER)
    }

    /// Returns the number of requests whose answers are not queued, and can still be sent.
    #[inline]
    pub(crate) fn owed(&self) -> usize {
        match &self.owed {
            Some(owed) if !self.write_closed => owed.requests.len(),
            Some(_) | None => 0,
        }
    }

    /// Returns whether answers are owed that cannot be sent any more.
    pub(crate) fn owes_in_vain(&self) -> bool {
        self.write_closed && self.owed.as_ref().is_some_and(|owed| !owed.requests.is_empty())
    }

    /// Server: answers request `seq`, at once or after those before it.
    pub(crate) fn give(&mut self, seq: u64, answer: Result<&[u8], Failure>, now: Duration) -> Result<(), ApiMisuse> {
        if self.role() == Role::Client {
            return Err(ApiMisuse::NotAServer);
        }
        let answer = answer.map_err(|failure| failure.cut());
        let limit = self.config.payload_limit();
        if let Ok(payload) = answer
            && payload.len() > limit
        {
            return Err(ApiMisuse::TooBig { len: payload.len(), limit });
        }
        if !matches!(self.machine.sent(), HalfState::Open | HalfState::Leaving) {
            return Err(ApiMisuse::Ending);
        }
        let owed = self.owed.as_mut().ok_or(ApiMisuse::NotOwed { seq })?;
        let is_first = owed.first == seq;
        if owed.get_mut(seq).is_none_or(|request| request.answer.is_some()) {
            return Err(ApiMisuse::NotOwed { seq });
        }
        if !is_first {
            owed.keep(seq, answer);
            return Ok(());
        }
        let request = owed.pop();
        self.queue_answer(seq, request, answer, now);
        self.queue_ready(now);
        Ok(())
    }

    /// Queues the answers that waited for the one before them.
    fn queue_ready(&mut self, now: Duration) {
        while let Some(owed) = &mut self.owed
            && let Some(answer) = owed.take_ready()
        {
            let seq = owed.first;
            let request = owed.pop();
            let answer = answer.as_deref().map_err(Failure::clone);
            self.queue_answer(seq, request, answer, now);
        }
    }

    fn queue_answer(&mut self, seq: u64, request: Option<Request>, answer: Result<&[u8], Failure>, now: Duration) {
        let Some(Request { t1, t2, .. }) = request else { return };
        self.queue_given(seq, [t1, t2], answer, now);
        self.restart_idle(now);
        self.apply(MachineEvent::Answered(seq), now);
    }

    /// Forgets the requests that cannot be answered any more.
    pub(super) fn forget_owed(&mut self) {
        if let Some(owed) = &mut self.owed {
            **owed = Owed::default();
        }
    }
}
