//! One conversation below its wire: the close machine, the deadlines and the output, kept in step.

mod identity;
mod output;
mod requests;
mod time;

use crate::close::table::Sample;
use crate::close::{Action, Actions, CloseHandshake, CloseReason, HalfState, Machine, MachineEvent, Policy, Role};
use crate::config::{Config, HIGH_WATER};
use crate::error::Violation;
use crate::frame;
use crate::outbox::{Mark, Outbox};
use crate::outcome::Outcome;
use crate::preface;
use crate::progress::Progress;
use crate::stamp::Stamp;
use crate::timers::{Deadline, Timers};
use std::collections::VecDeque;
use std::time::Duration;

/// What went over a connection: whole messages and the bytes of their payloads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Traffic {
    /// Server: requests whose answer was queued. Client: answers received.
    pub messages: u64,
    /// Payload bytes of those messages.
    pub bytes: u64,
}

/// What is spoken: in which way this side can say something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Wire {
    /// Not at all: the client has not spoken, and so its wire is unknown.
    Undetected,
    /// Lines.
    Plain,
    /// Frames, behind the preface of the version.
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
    pub(crate) config: Config,
    epoch: Stamp,
    machine: Machine,
    wire: Wire,
    greeted: bool,
    /// Client: nothing but the preface leaves before the server's is read.
    held: bool,
    timers: Timers,
    /// The user of this side reads nothing for now.
    paused: bool,
    /// The waits that begin anew when this side reads again.
    idle_held: bool,
    answer_held: bool,
    progress: Progress,
    outbox: Outbox,
    /// Where requests (client) or answers (server) begin of which no byte has left.
    starts: VecDeque<(u64, Mark)>,
    /// Server: the first answer that was dropped with output that could not be sent. Neither it nor any behind it ever
    /// leaves.
    lost_from: Option<u64>,
    /// Where this side's own CLOSE ends in the output.
    word_end: Option<u64>,
    fin: Fin,
    /// The transport takes nothing any more.
    write_closed: bool,
    aborted: bool,
    traffic: Traffic,
    /// Plain wire: the second of the last answer, and its time as text. Formatting costs more than all the rest of an
    /// answer.
    time: Option<(i64, Box<str>)>,
    /// Plain wire: what the wall clock showed when the connection began, by the steps it has made since.
    wall_epoch: Stamp,
}

impl Session {
    pub(crate) fn new(role: Role, wire: Wire, config: Config, epoch: Stamp) -> Self {
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
            starts: VecDeque::new(),
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

    /// The wire is known.
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

    /// The peer's preface is read, and `version` is to be spoken.
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

    /// Gives an event to the close machine and does what it says.
    pub(crate) fn apply(&mut self, event: MachineEvent, now: Duration) -> Actions {
        if self.is_over() {
            return Actions::default();
        }
        if let Some(observe) = self.config.observe {
            observe(&self.machine, Sample::meaning(&event, &self.machine));
        }
        let actions = self.machine.handle(event);
        if !matches!(self.machine.sent(), HalfState::Open | HalfState::Leaving) {
            self.take_back_requests();
        }
        for action in actions {
            match action {
                Action::Deliver | Action::Discard => (),
                Action::GoAway | Action::Close => self.emit(action),
                Action::Fin => self.fin = Fin::Due,
                Action::LetGo => {
                    // FIN is left to the transport, which sends it behind what it holds.
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

    fn emit(&mut self, action: Action) {
        match self.wire {
            Wire::Undetected => (),
            Wire::Plain => self.say_plainly(action),
            Wire::Framed { version } => self.say_framed(action, version),
        }
    }

    /// Clause 2.6: the plain wire has no CLOSE, but a refusal says why in one line.
    fn say_plainly(&mut self, action: Action) {
        if self.role() == Role::Server && action == Action::Close {
            let close_reason = self.machine.close_reason();
            let line = match close_reason.text.as_str() {
                "" => format!("echo: {}\n", close_reason.code.name()),
                reason => format!("echo: {}\n", reason.replace(char::is_control, " ")),
            };
            self.outbox.append(|out| out.extend_from_slice(line.as_bytes()));
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
            self.word_end = Some(self.outbox.mark().offset);
        }
    }

    /// Requests of which no byte left are refused once this side's direction is over: they do not go out ahead of CLOSE
    /// or FIN, nor behind the server's error while its FIN is waited for (clauses 5.6 and 5.8). On the
    /// plain wire FIN is how a client leaves, not what it says last: what was asked before goes out before it.
    fn take_back_requests(&mut self) {
        if self.role() == Role::Server || self.machine.policy().words == CloseHandshake::None {
            return;
        }
        if let Some((_, mark)) = self.starts.front() {
            self.outbox.truncate(*mark);
            self.starts.clear();
        }
    }

    /// The peer's CLOSE came. A server takes it for an acknowledgement only of what has left: who acknowledges
    /// what was not sent lies (clause 5.3, clause 7.3).
    pub(crate) fn on_close_frame(
        &mut self,
        last: u64,
        close_reason: CloseReason,
        first_fin: Role,
        now: Duration,
    ) -> Actions {
        let server = self.role() == Role::Server;
        let unsent_word = self.word_end.is_some_and(|end| end > self.outbox.sent());
        if server && unsent_word && self.machine.sent() == HalfState::Closed && close_reason.code.is_clean() {
            let got = format!("CLOSE {last} before that was sent");
            let violation = Violation::protocol("an answer to this side's CLOSE", got);
            return self.apply(MachineEvent::Violation(violation), now);
        }
        let unsent_answer = self.lost_from.or(self.starts.front().map(|(seq, _)| *seq)).unwrap_or(u64::MAX);
        // No account has so many, so that this count will change none.
        let last = if server && last >= unsent_answer { u64::MAX } else { last };
        self.apply(MachineEvent::Close { last, close_reason, first_fin }, now)
    }

    // ---- what can be seen ----

    pub(crate) fn stamp(&self, now: Duration) -> Stamp {
        self.epoch.after(now)
    }

    /// Answers carry the time as text, or may come to.
    pub(crate) fn tells_time(&self) -> bool {
        self.role() == Role::Server && !matches!(self.wire, Wire::Framed { .. })
    }

    pub(crate) fn set_wall(&mut self, wall: Stamp, now: Duration) {
        self.wall_epoch = wall.before(now);
    }

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

    /// Whether to let go at once, instead of the FIN that is due.
    pub(crate) fn is_aborted(&self) -> bool {
        self.aborted
    }

    /// Bytes that wait to be sent.
    pub(crate) fn waiting(&self) -> usize {
        self.outbox.waiting()
    }

    /// Bytes of memory that the output owns.
    pub(crate) fn owned(&self) -> usize {
        self.outbox.owned() + self.starts.capacity() * size_of::<(u64, Mark)>()
    }

    /// Whether more input should be read: never after the peer's FIN, and a server's peer has to read first (4.9), but
    /// for input that is answered no more: left unread it would make the kernel send RST in the end (5.9).
    pub(crate) fn wants_input(&self) -> bool {
        let open = self.machine.heard() != HalfState::Finished;
        let answers = self.role() == Role::Server
            && !self.machine.is_discarding()
            && matches!(self.machine.sent(), HalfState::Open | HalfState::Leaving);
        let room = !answers || self.outbox.waiting() < HIGH_WATER;
        open && room
    }

    /// Client: whether a request would not pile up behind others that wait to be sent.
    pub(crate) fn wants_requests(&self) -> bool {
        self.machine.sent() == HalfState::Open && self.outbox.waiting() < HIGH_WATER
    }

    fn owes_us(&self) -> bool {
        self.machine.account().answered.count() < self.machine.account().asked
    }

    fn is_over(&self) -> bool {
        self.machine.outcome().is_some() && self.fin == Fin::Sent && self.outbox.waiting() == 0
    }

    /// The outcome, once nothing is left to do.
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        self.machine.outcome().filter(|_| self.is_over())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An idle conversation owns no output and no list of requests.
    #[test]
    fn idle_owns_no_buffer() {
        let mut client = Session::new(Role::Client, Wire::Framed { version: 1 }, Config::default(), Stamp(0));
        client.greeted(1, Duration::ZERO);
        client.apply(MachineEvent::Send, Duration::ZERO);
        client.ask(b"hello", Duration::ZERO);
        let count = client.lend(Duration::ZERO).0.len();
        client.sent(count, Duration::ZERO);
        assert_eq!((client.outbox.waiting(), client.outbox.owned()), (0, 0));
        assert!(client.starts.is_empty());
    }

    /// The transport failed while requests wait: they are forgotten, and a CLOSE finds nothing to take back.
    #[test]
    fn what_is_lost_is_not_taken_back() {
        let mut client = Session::new(Role::Client, Wire::Framed { version: 1 }, Config::default(), Stamp(0));
        client.greeted(1, Duration::ZERO);
        for _ in 0..2 {
            client.apply(MachineEvent::Send, Duration::ZERO);
            client.ask(b"hello", Duration::ZERO);
        }
        client.lend(Duration::ZERO);
        client.sent(10, Duration::ZERO);
        client.write_failed();
        client.drop_unsendable();
        client.apply(MachineEvent::Fail(crate::close::CloseReason::normal()), Duration::ZERO);
        client.drop_unsendable();
        assert_eq!((client.waiting(), client.has_output()), (0, false));
    }
}
