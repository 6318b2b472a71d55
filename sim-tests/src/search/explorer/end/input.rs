//! Input of an end: the events that its machine receives, and their effects.

use super::super::observations::{Goal, Observations, Situation};
use super::super::rules::{ExplorerBreach, ExplorerRule, ensure};
use super::super::unit::Unit;
use super::{End, NOW};
use echo_core::close::{self, table::Sample, table::State};
use echo_core::{CloseReason, Event, Role, Violation};

impl End {
    /// Reads `bytes`, which complete `units`.
    pub(super) fn read(
        &mut self,
        bytes: &[u8],
        units: &[Unit],
        notes: &mut Observations,
    ) -> Result<(), ExplorerBreach> {
        let (mut input, mut units) = (bytes, units.iter());
        loop {
            let discards = self.connection.machine().is_discarding();
            let sample = units.as_slice().first().filter(|_| !discards).and_then(|unit| self.sample(*unit));
            let before = self.situation();
            let Some(event) = self.connection.handle_input(NOW, &mut input) else { return Ok(()) };
            let reported = match event {
                Event::Request { seq, .. } => Reported::Request(seq),
                Event::Reply(reply) => Reported::Reply(reply.seq),
                Event::Failed { seq, .. } => {
                    notes.see(Goal::FailedRequest);
                    Reported::Reply(seq)
                }
                Event::Greeted { .. } => Reported::Preface,
                Event::Close(_) => Reported::Close,
                Event::Leaving(_) => Reported::GoAway,
                Event::Text(_) | Event::Discarded => Reported::Other,
            };
            let unit = units.next().copied();
            if let Some(sample) = sample {
                notes.pair(before, sample);
                self.got.after_close |= self.got.close.is_some();
            }
            if sample == Some(Sample::NextRequest) && self.role == Role::Server {
                notes.see_if(!matches!(reported, Reported::Request(_)), Goal::NotRun);
            }
            self.receive(reported, unit, before, notes)?;
        }
    }

    /// Returns the event that the machine receives when `unit` is complete, if any.
    fn sample(&self, unit: Unit) -> Option<Sample> {
        let machine = self.connection.machine();
        let violation = close::MachineEvent::Violation(Violation::protocol("", ""));
        let event = match unit {
            // Only its observer knows.
            Unit::Undecided => return None,
            Unit::Preface => return None,
            Unit::Line | Unit::Broken if self.connection.is_plain() == Some(true) && self.role == Role::Client => {
                return None;
            }
            Unit::Line => close::MachineEvent::Request(machine.account().asked + 1),
            Unit::Echo(seq) => close::MachineEvent::Request(seq),
            Unit::Reply(seq) => close::MachineEvent::Answer(seq),
            Unit::GoAway(last) => close::MachineEvent::GoAway { last },
            Unit::Close { last, code, fin_first } => {
                let server = self.role == Role::Server;
                let unsent = server && machine.sent() == close::HalfState::Closed && !self.sent.close_left;
                let first_fin = if fin_first { Role::Server } else { Role::Client };
                // A connection treats a count of answers that have not left as impossible.
                let last = if server && last > self.sent.replies { u64::MAX } else { last };
                match unsent && code.is_clean() {
                    true => violation,
                    false => close::MachineEvent::Close { last, close_reason: CloseReason::new(code, ""), first_fin },
                }
            }
            Unit::Failed(_) | Unit::Unknown => close::MachineEvent::Other,
            Unit::Broken => violation,
        };
        Some(Sample::meaning(&event, machine))
    }

    fn receive(
        &mut self,
        reported: Reported,
        unit: Option<Unit>,
        before: Situation,
        notes: &mut Observations,
    ) -> Result<(), ExplorerBreach> {
        match reported {
            Reported::Request(seq) => {
                self.begin_answer(before, notes);
                self.ran += 1;
                ensure(seq == self.ran, ExplorerRule::Answers, || format!("request {seq} runs as number {}", self.ran))
            }
            Reported::Reply(seq) => {
                self.held += 1;
                ensure(seq == self.held, ExplorerRule::Answers, || {
                    format!("answer {seq} arrives as number {}", self.held)
                })
            }
            Reported::Preface => {
                self.got.preface = true;
                Ok(())
            }
            Reported::Close => {
                if let Some(Unit::Close { last, code, .. }) = unit {
                    self.got.close = Some((last, code, self.sent.close_left));
                    notes.see_if(self.connection.is_write_closed(), Goal::WordBehindFailure(self.role));
                }
                Ok(())
            }
            Reported::GoAway => {
                // The client sent GOAWAY unasked, so it sent it before it could read the server's.
                notes.see_if(self.role == Role::Client && self.sent.goaway, Goal::CrossingGoAways);
                Ok(())
            }
            Reported::Other => Ok(()),
        }
    }

    /// Takes an incomplete line as a message.
    pub(super) fn fall_quiet(&mut self, notes: &mut Observations) {
        let (before, asked) = (self.situation(), self.connection.machine().account().asked);
        self.connection.handle_quiet(NOW);
        if self.connection.machine().account().asked > asked {
            notes.pair(before, Sample::NextRequest);
            self.begin_answer(before, notes);
            self.ran += 1;
        }
        while self.connection.take_cut_off().is_some() {}
    }

    /// Notes that a server that echoes answers at once.
    fn begin_answer(&self, before: Situation, notes: &mut Observations) {
        if !State::of(self.connection.machine()).owes {
            notes.pair_owing(before);
        }
    }

    pub(super) fn read_fin(&mut self, notes: &mut Observations) {
        notes.see_if(self.got.inside, Goal::FinInside(self.role));
        self.got.fin = true;
        self.fall_quiet(notes);
        self.note(Sample::Fin, notes);
        self.connection.handle_fin(NOW);
    }

    pub(super) fn read_reset(&mut self, notes: &mut Observations) {
        self.got.reset = true;
        self.note(Sample::Reset, notes);
        self.connection.handle_reset(NOW);
    }
}

/// What a connection reports about its input.
enum Reported {
    Preface,
    Request(u64),
    Reply(u64),
    GoAway,
    Close,
    Other,
}
