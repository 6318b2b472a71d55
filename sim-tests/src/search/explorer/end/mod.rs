//! One end: a connection, its user's remaining commands, and what it has really sent, received and run.

use super::observations::{Goal, Observations, Situation};
use super::rules::ExplorerBreach;
use super::sent_log::{Facts, SentLog};
use super::setup::Setup;
use super::unit::Piece;
use echo_core::close::{self, table::Sample};
use echo_core::{CloseCode, CloseReason, Connection, Deadline, Outcome, Output, Role};
use std::hash::{Hash, Hasher};
use std::rc::Rc;
use std::time::Duration;

mod answer;
mod input;
mod local;

pub(super) use answer::Answer;
pub(super) use local::LocalStep;

/// Time stands still: any running deadline may pass at any moment.
pub(super) const NOW: Duration = Duration::ZERO;

/// The commands that the user of an end may still give.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Commands {
    pub(super) requests: u8,
    pub(super) leave: u8,
    pub(super) fail: u8,
    pub(super) abort: u8,
}

/// A command of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Command {
    /// Make a request.
    Send,
    /// End politely.
    Leave,
    /// End with an error.
    Fail,
    /// Abort.
    Abort,
}

impl Command {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Send => "a request",
            Self::Leave => "leave",
            Self::Fail => "fail",
            Self::Abort => "abort",
        }
    }
}

impl Commands {
    /// Returns the commands of one side in `setup`.
    pub(super) fn of(setup: &Setup, role: Role) -> Self {
        let wants = |roles: &[Role]| if roles.contains(&role) { setup.times } else { 0 };
        let requests = if role == Role::Client { setup.requests } else { 0 };
        Self { requests, leave: wants(setup.leave), fail: wants(setup.fail), abort: wants(setup.abort) }
    }

    /// Returns all of them in one number, to be hashed.
    pub(super) fn packed(self) -> u32 {
        u32::from_le_bytes([self.requests, self.leave, self.fail, self.abort])
    }

    /// Notes that `command` was given once.
    pub(super) fn spend(&mut self, command: Command) {
        let left = match command {
            Command::Send => &mut self.requests,
            Command::Leave => &mut self.leave,
            Command::Fail => &mut self.fail,
            Command::Abort => &mut self.abort,
        };
        *left -= 1;
    }

    pub(super) fn open(self) -> impl Iterator<Item = Command> {
        let all = [
            (self.requests > 0, Command::Send),
            (self.leave > 0, Command::Leave),
            (self.fail > 0, Command::Fail),
            (self.abort > 0, Command::Abort),
        ];
        all.into_iter().filter_map(|(open, command)| open.then_some(command))
    }
}

/// What was received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Got {
    /// Whether the peer's preface was received.
    pub(super) preface: bool,
    /// Count and code of the peer's CLOSE, and whether this side's own CLOSE had left before.
    pub(super) close: Option<(u64, CloseCode, bool)>,
    /// Whether anything followed that CLOSE.
    pub(super) after_close: bool,
    pub(super) fin: bool,
    pub(super) reset: bool,
    /// Whether the input ends inside a unit.
    pub(super) inside: bool,
}

/// Whether the program is still running.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Place {
    Here,
    /// It has ended with this outcome, and closed its socket.
    Over(Outcome),
    /// It was killed.
    Gone,
}

/// An end, without the commands that its user may still give: they do not change the result of any other step.
#[derive(Clone, Debug)]
pub(super) struct End {
    pub(super) role: Role,
    pub(super) connection: Connection,
    pub(super) place: Place,
    pub(super) sent: SentLog,
    pub(super) got: Got,
    /// Server: the number of requests that ran.
    pub(super) ran: u64,
    /// Client: the number of answers that its user was given.
    pub(super) held: u64,
    /// Whether its sending half was closed below the protocol, so that the transport takes nothing more.
    pub(super) half_closed: bool,
    /// Queued output, in pieces.
    pub(super) outgoing: Rc<[Piece]>,
    /// Whether FIN is due.
    pub(super) fin_due: bool,
    /// Whether a deadline has passed at which it closes its transport, whatever may still arrive. It does so at once.
    pub(super) patience_over: bool,
}

/// Only what decides the future is hashed. The connection of a program that has ended has no effect any more, but its
/// report is checked against what happens later.
impl Hash for End {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match &self.place {
            Place::Here => (&self.connection, &self.sent, self.got, self.half_closed).hash(state),
            Place::Over(outcome) => (1, outcome, self.connection.machine().account(), self.sent.close).hash(state),
            Place::Gone => (2, self.sent.close).hash(state),
        }
        (self.ran, self.held).hash(state);
    }
}

impl End {
    pub(super) fn new(role: Role, connection: Connection, plain: bool) -> Self {
        Self {
            role,
            connection,
            place: Place::Here,
            sent: SentLog::new(role, plain),
            got: Got::default(),
            ran: 0,
            held: 0,
            half_closed: false,
            outgoing: Rc::default(),
            fin_due: false,
            patience_over: false,
        }
    }

    /// Returns what the hash leaves out, but a check looks at in the step that ends the program or after it.
    pub(super) fn not_hashed(&self) -> impl Hash {
        (self.role, &self.sent, self.got, self.half_closed, self.patience_over, self.connection.is_write_closed())
    }

    pub(super) fn is_here(&self) -> bool {
        self.place == Place::Here
    }

    pub(super) fn outcome(&self) -> Option<&Outcome> {
        match &self.place {
            Place::Over(outcome) => Some(outcome),
            Place::Here | Place::Gone => None,
        }
    }

    /// Returns whether its sending half is closed.
    pub(super) fn has_shut(&self) -> bool {
        self.sent.fin || self.half_closed
    }

    /// Describes the state.
    pub(super) fn show(&self) -> String {
        let machine = self.connection.machine();
        let verdict = machine.verdict().map(|end| format!(" ({})", end.name())).unwrap_or_default();
        match &self.place {
            Place::Here => format!("{} {:?}/{:?}{verdict}", self.role.name(), machine.sent(), machine.received()),
            Place::Over(outcome) => format!("{} ended: {outcome}", self.role.name()),
            Place::Gone => format!("{} is gone", self.role.name()),
        }
    }

    fn note(&self, sample: Sample, notes: &mut Observations) {
        notes.pair(self.situation(), sample);
    }

    fn situation(&self) -> Situation {
        Situation::of(self.connection.machine())
    }

    // ---- commands ----

    fn command(&mut self, command: Command, notes: &mut Observations) {
        match command {
            Command::Send => {
                self.note(Sample::Send, notes);
                let (before, begun) = (self.situation(), self.connection.machine().account().begun);
                let message = format!("ask {}\n", self.connection.machine().account().asked + 1);
                // A conversation that is ending refuses the request, which is no error here.
                let _ = self.connection.send(NOW, message.as_bytes());
                self.note_first_byte(before, begun, notes);
            }
            Command::Leave => {
                self.note(Sample::Leave, notes);
                let unspoken = self.role == Role::Server && self.connection.is_plain().is_none();
                notes.see_if(unspoken, Goal::LeftUnspoken);
                self.connection.leave(NOW, CloseReason::normal());
            }
            Command::Fail => {
                self.note(Sample::Fail, notes);
                self.connection.fail(NOW, CloseReason::new(CloseCode::INTERNAL, "broken"));
            }
            Command::Abort => {
                self.note(Sample::Abort, notes);
                self.connection.abort(NOW);
            }
        }
    }

    fn expire(&mut self, deadline: Deadline, notes: &mut Observations) {
        self.note(Sample::Deadline(deadline), notes);
        notes.see(Goal::Passed(self.role, deadline));
        self.patience_over |= matches!(deadline, Deadline::Linger | Deadline::Shutdown);
        self.connection.expire(NOW, deadline);
    }

    // ---- writing ----

    /// Lets the connection do what it does at once, and then updates `outgoing` and `fin_due`. Returns whether it aborted
    /// its transport.
    pub(super) fn settle(&mut self, cuts: &[usize], notes: &mut Observations) -> bool {
        self.outgoing = Rc::default();
        self.fin_due = false;
        let mut aborted = false;
        while self.is_here() {
            match self.connection.poll_output(NOW) {
                Output::Transmit { .. } if self.half_closed => self.fail_to_write(notes),
                Output::Transmit { header, payload } => {
                    self.outgoing = self.sent.pieces(&[header, payload].concat(), cuts).into();
                    break;
                }
                Output::Fin => {
                    self.fin_due = true;
                    break;
                }
                Output::Wait(_) => break,
                Output::Abort => {
                    self.connection.handle_fin_sent(NOW);
                    self.sent.reset = true;
                    aborted = true;
                }
                Output::Ended(outcome) => self.place = Place::Over(outcome),
            }
        }
        aborted
    }

    /// Writes the next `count` pieces to the transport.
    fn write(&mut self, count: usize, notes: &mut Observations) -> Result<Vec<Piece>, ExplorerBreach> {
        let (before, begun) = (self.situation(), self.connection.machine().account().begun);
        let pieces = self.outgoing[..count].to_vec();
        let facts = Facts { ran: self.ran, held: self.held, peer_close: self.got.close.map(|(last, ..)| last) };
        for piece in &pieces {
            self.sent.record(piece, facts)?;
        }
        self.connection.handle_sent(NOW, pieces.iter().map(|piece| piece.bytes.len()).sum());
        self.note_first_byte(before, begun, notes);
        Ok(pieces)
    }

    /// Notes the first byte of a request if one has left since `begun` requests had sent one.
    fn note_first_byte(&self, before: Situation, begun: u64, notes: &mut Observations) {
        if self.connection.machine().account().begun > begun {
            notes.pair(before, Sample::FirstByteLeft);
        }
    }

    fn fail_to_write(&mut self, notes: &mut Observations) {
        notes.see(Goal::WriteFailed(self.role));
        if self.connection.machine().received() == close::HalfState::Finished {
            self.note(Sample::Reset, notes);
        }
        self.connection.handle_write_failed(NOW);
    }
}
