//! One conversation without its wire format: keeps the close machine, the deadlines and the output in step.

#[cfg(feature = "explore")]
mod identity;
mod output;
mod owed;
mod requests;
mod time;

#[cfg(feature = "explore")]
use crate::close::table::Sample;
use crate::close::{Action, Actions, CloseHandshake, CloseReason, HalfState, Machine, MachineEvent, Policy, Role};
use crate::config::{Config, HIGH_WATER};
use crate::error::{Failure, Violation};
use crate::frame;
use crate::outbox::Outbox;
use crate::outcome::{End, Outcome};
use crate::preface;
use crate::progress::Progress;
use crate::stamp::Stamp;
use crate::timers::{Deadline, Timers};
use owed::Owed;
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

/// Traffic of a connection: whole messages and the bytes of their payloads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Traffic {
    /// Server: requests whose answer was queued. Client: answers received.
    pub messages: u64,
    /// Payload bytes of those messages.
    pub bytes: u64,
}

/// The wire of the connection, and so how this side can report an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Wire {
    /// Unknown: the client has sent nothing. This side can send no text.
    Undetected,
    /// Lines.
    Plain,
    /// Frames, after the preface with this version.
    Framed { version: u8 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Fin {
    NotYet,
    Due,
    Sent,
}

#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) config: Arc<Config>,
    epoch: Stamp,
    machine: Machine,
    wire: Wire,
    greeted: bool,
    /// Client: only the preface may leave until the server's preface is read.
    held: bool,
    timers: Timers,
    /// The user of this side reads no input for now.
    paused: bool,
    /// The waits that start again when this side reads again.
    idle_held: bool,
    answer_held: bool,
    progress: Progress,
    outbox: Outbox,
    /// Server: the answers that the user owes. `None` if the server echoes.
    owed: Option<Box<Owed>>,
    /// Client: why the next answer is none, as the server said before it (clause 4.10).
    failed: Option<Box<Failure>>,
    /// Server: the first answer that was dropped because the transport failed. It and all later answers are never sent.
    lost_from: Option<NonZero<u64>>,
    /// Position in the output where this side's CLOSE ends.
    word_end: Option<NonZero<u64>>,
    fin: Fin,
    /// The transport takes no more bytes.
    write_closed: bool,
    aborted: bool,
    traffic: Traffic,
    /// Plain wire: the time of the last answer. Formatting costs more than the rest of an answer.
    time: Option<Box<TimeText>>,
    /// Plain wire: the wall clock at the start of the connection, corrected by its later steps.
    wall_epoch: Stamp,
}

/// A time as text, for the plain wire.
#[derive(Clone, Debug)]
struct TimeText {
    /// Seconds since the epoch.
    second: i64,
    text: String,
}

impl Session {
    pub(crate) fn new(role: Role, wire: Wire, config: Arc<Config>, epoch: Stamp) -> Self {
        let mut session = Self {
            config,
            epoch,
            machine: Machine::new(role, Policy::PLAIN),
            wire: Wire::Undetected,
            greeted: false,
            held: false,
            timers: Timers::default(),
            paused: false,
            idle_held: false,
            answer_held: false,
            progress: Progress::default(),
            outbox: Outbox::default(),
            owed: None,
            failed: None,
            lost_from: None,
            word_end: None,
            fin: Fin::NotYet,
            write_closed: false,
            aborted: false,
            traffic: Traffic::default(),
            time: None,
            wall_epoch: epoch,
        };
        session.set_wire(wire);
        match wire {
            Wire::Framed { .. } => session.greet_as_client(),
            Wire::Undetected | Wire::Plain => session.start(Deadline::Idle, Duration::ZERO),
        }
        session
    }

    fn greet_as_client(&mut self) {
        if let Wire::Framed { version } = self.wire {
            self.greet(version);
            self.held = true;
            self.start(Deadline::Connect, Duration::ZERO);
            self.rearm(Duration::ZERO);
        }
    }

    /// Sets the wire.
    pub(crate) fn set_wire(&mut self, wire: Wire) {
        self.wire = wire;
        if let Wire::Framed { .. } = wire {
            let policy = match self.role() {
                Role::Client => Policy::FRAMED,
                Role::Server => Policy { first_fin: self.config.first_fin, ..Policy::FRAMED },
            };
            self.machine = Machine::new(self.role(), policy);
        }
    }

    /// Handles the peer's preface: both sides use `version` from now on.
    pub(crate) fn greeted(&mut self, version: u8, now: Duration) {
        self.wire = Wire::Framed { version };
        self.held = false;
        self.timers.stop(Deadline::Connect);
        self.timers.stop(Deadline::Detect);
        self.restart_idle(now);
        match self.role() {
            Role::Server => self.greet(version),
            Role::Client if self.owes_us() => self.start(Deadline::Answer, now),
            Role::Client => (),
        }
        self.rearm(now);
    }

    fn greet(&mut self, version: u8) {
        if !std::mem::replace(&mut self.greeted, true) {
            let role = self.role();
            self.outbox.append(|out| out.extend_from_slice(&preface::preface(role, version)));
        }
    }

    // ---- events ----

    /// Passes an event to the close machine and carries out its actions.
    pub(crate) fn apply(&mut self, event: MachineEvent, now: Duration) -> Actions {
        if self.is_over() {
            return Actions::default();
        }
        #[cfg(feature = "explore")]
        if let Some(observe) = self.config.observe {
            observe(&self.machine, Sample::meaning(&event, &self.machine));
        }
        let actions = self.machine.handle(event);
        if !matches!(self.machine.sent(), HalfState::Open | HalfState::Leaving) {
            self.take_back_requests();
            self.forget_owed();
        }
        for action in actions {
            match action {
                Action::Deliver | Action::Discard => (),
                Action::GoAway | Action::Close => self.emit(action),
                Action::Fin => self.fin = Fin::Due,
                Action::CloseTransport => {
                    // The transport sends FIN after the bytes it holds.
                    self.fin = Fin::Sent;
                    self.drop_output();
                }
                Action::Abort => {
                    self.aborted = true;
                    self.fin = Fin::Due;
                    self.drop_output();
                }
            }
        }
        self.rearm(now);
        actions
    }

    /// Records a verdict of the transport. The event that it is about follows.
    pub(crate) fn note_end(&mut self, end: End) {
        self.machine.note_end(end);
    }

    fn emit(&mut self, action: Action) {
        match self.wire {
            Wire::Undetected => (),
            Wire::Plain => self.say_plainly(action),
            Wire::Framed { version } => self.say_framed(action, version),
        }
    }

    /// Clause 2.6: the plain wire has no CLOSE, but a refusal sends its reason in one line.
    fn say_plainly(&mut self, action: Action) {
        if self.role() == Role::Server && action == Action::Close {
            let CloseReason { code, text } = self.machine.close_reason().clone();
            self.queue_line(code, &text);
        }
    }

    fn say_framed(&mut self, action: Action, version: u8) {
        self.greet(version);
        if action == Action::Close {
            self.held = false;
        }
        let (last, close_reason) = (self.machine.last(action), self.machine.close_reason());
        let policy = self.machine.policy();
        let fin_first = self.role() == Role::Server && policy.first_fin == Role::Server;
        self.outbox.append(|out| match action == Action::Close {
            true => frame::close(out, last, close_reason, fin_first),
            false => frame::goaway(out, last, close_reason),
        });
        if action == Action::Close {
            self.word_end = NonZero::new(self.outbox.queued());
        }
    }

    /// Drops requests that have sent no byte, once this side sends no more requests: they are refused. They must not
    /// leave before CLOSE or FIN, nor after the server's error while FIN is awaited (clauses 5.6 and 5.8). On the plain
    /// wire they still leave, before FIN: there FIN is how a client leaves, not a CLOSE.
    fn take_back_requests(&mut self) {
        if self.role() == Role::Server || self.machine.policy().handshake == CloseHandshake::None {
            return;
        }
        if let Some((_, mark)) = self.outbox.first_unsent() {
            self.outbox.forget_unsent();
            self.outbox.truncate(mark);
        }
    }

    /// Handles the peer's CLOSE. A server accepts it as an acknowledgement only of bytes that have left; a peer that
    /// acknowledges unsent bytes is wrong (clauses 5.3 and 7.3).
    pub(crate) fn on_close_frame(
        &mut self,
        last: u64,
        close_reason: CloseReason,
        first_fin: Role,
        now: Duration,
    ) -> Actions {
        let server = self.role() == Role::Server;
        let unsent_word = self.word_end.is_some_and(|end| end.get() > self.outbox.sent());
        if server && unsent_word && self.machine.sent() == HalfState::Closed && close_reason.code.is_clean() {
            let got = format!("CLOSE {last} before that was sent");
            let violation = Violation::protocol("an answer to this side's CLOSE", got);
            return self.apply(MachineEvent::Violation(violation), now);
        }
        let unsent_answer = self.lost_from.or(self.first_unsent()).map_or(u64::MAX, NonZero::get);
        // No account reaches this count, so it changes none.
        let last = if server && last >= unsent_answer { u64::MAX } else { last };
        self.apply(MachineEvent::Close { last, close_reason, first_fin }, now)
    }

    /// Client: handles the server's FAILED, which comes before an answer that is none (clause 4.10).
    pub(crate) fn on_failed_frame(&mut self, seq: u64, failure: Failure, now: Duration) -> Actions {
        let account = self.machine.account();
        let next = account.answered.mark() + 1;
        let event = match self.role() {
            _ if self.machine.received() == HalfState::Closed || self.machine.is_discarding() => MachineEvent::Other,
            Role::Client if seq == next && seq <= account.begun && self.failed.is_none() => {
                self.failed = Some(Box::new(failure));
                MachineEvent::Other
            }
            Role::Client => {
                let expected = if self.failed.is_some() { "answer" } else { "answer or FAILED" };
                let expected = format!("{expected} {next}");
                MachineEvent::Violation(Violation::protocol(expected, format!("FAILED {seq}")))
            }
            Role::Server => {
                let got = format!("FAILED {seq} from a client");
                MachineEvent::Violation(Violation::protocol("a request, GOAWAY or CLOSE", got))
            }
        };
        self.apply(event, now)
    }

    /// Client: takes the reason why the answer that has come is none.
    pub(crate) fn take_failure(&mut self) -> Option<Failure> {
        self.failed.take().map(|failure| *failure)
    }

    // ---- accessors ----

    #[inline]
    pub(crate) fn stamp(&self, now: Duration) -> Stamp {
        self.epoch.after(now)
    }

    /// Returns whether answers carry the time as text, or may do so later.
    pub(crate) fn tells_time(&self) -> bool {
        self.role() == Role::Server && !matches!(self.wire, Wire::Framed { .. })
    }

    pub(crate) fn set_wall(&mut self, wall: Stamp, now: Duration) {
        self.wall_epoch = wall.before(now);
    }

    #[inline]
    pub(crate) fn role(&self) -> Role {
        self.machine.role()
    }

    pub(crate) fn machine(&self) -> &Machine {
        &self.machine
    }

    pub(crate) fn traffic(&self) -> Traffic {
        self.traffic
    }

    pub(crate) fn is_write_closed(&self) -> bool {
        self.write_closed
    }

    /// Returns whether the FIN that is due is an abort.
    pub(crate) fn is_aborted(&self) -> bool {
        self.aborted
    }

    /// Returns the bytes that are not yet sent.
    #[inline]
    pub(crate) fn waiting(&self) -> usize {
        self.outbox.waiting()
    }

    /// Returns the bytes of memory that the output owns, and answers that wait for others.
    pub(crate) fn owned(&self) -> usize {
        self.outbox.owned() + self.owed.as_ref().map_or(0, |owed| owed.owned())
    }

    /// Returns whether to read more input. After the peer's FIN there is none. A server that still answers does not
    /// read while its output is full (clause 4.9). Input without an answer is always read: unread input makes the
    /// kernel send RST at close (clause 5.9).
    pub(crate) fn wants_input(&self) -> bool {
        let open = self.machine.received() != HalfState::Finished;
        let answers = self.role() == Role::Server
            && !self.machine.is_discarding()
            && matches!(self.machine.sent(), HalfState::Open | HalfState::Leaving);
        // Nobody can be answered after a failed write, and the reset that follows has to be read.
        let room = !answers || self.write_closed || self.outbox.waiting() < HIGH_WATER && self.may_owe_more();
        open && room
    }

    /// Client: returns whether a request can be queued without piling up behind unsent ones.
    pub(crate) fn wants_requests(&self) -> bool {
        self.machine.sent() == HalfState::Open && self.outbox.waiting() < HIGH_WATER
    }

    fn owes_us(&self) -> bool {
        self.machine.account().answered.count() < self.machine.account().asked
    }

    fn is_over(&self) -> bool {
        self.fin == Fin::Sent && self.outbox.waiting() == 0 && self.machine.is_finished()
    }

    /// Returns the outcome once nothing is left to do.
    #[inline]
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        if self.is_over() { self.machine.outcome() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An idle conversation owns no output and no list of requests.
    #[test]
    fn idle_owns_no_buffer() {
        let mut client = Session::new(Role::Client, Wire::Framed { version: 1 }, Arc::default(), Stamp(0));
        client.greeted(1, Duration::ZERO);
        client.apply(MachineEvent::Send, Duration::ZERO);
        client.ask(b"hello", Duration::ZERO);
        let count = client.lend(Duration::ZERO).0.len();
        client.sent(count, Duration::ZERO);
        assert_eq!((client.outbox.waiting(), client.outbox.owned()), (0, 0));
    }

    /// After a failed write the waiting requests are dropped, and a CLOSE finds nothing to take back.
    #[test]
    fn what_is_lost_is_not_taken_back() {
        let mut client = Session::new(Role::Client, Wire::Framed { version: 1 }, Arc::default(), Stamp(0));
        client.greeted(1, Duration::ZERO);
        for _ in 0..2 {
            client.apply(MachineEvent::Send, Duration::ZERO);
            client.ask(b"hello", Duration::ZERO);
        }
        client.lend(Duration::ZERO);
        client.sent(10, Duration::ZERO);
        client.write_failed(Duration::ZERO);
        client.drop_unsendable();
        client.apply(MachineEvent::Fail(crate::close::CloseReason::normal()), Duration::ZERO);
        client.drop_unsendable();
        assert_eq!((client.waiting(), client.has_output()), (0, false));
    }
}
