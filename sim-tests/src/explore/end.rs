//! One end: a connection, what its user may still want, and what was really said, heard, run and held.

use super::hash::identity;
use super::notes::{Notes, Sight, name};
use super::rules::{Breach, Rule, ensure};
use super::said::{Facts, Said};
use super::setup::Setup;
use super::unit::{Piece, Unit};
use echo_core::close::{self, table::Sample};
use echo_core::{CloseCode, Connection, Deadline, Event, Farewell, Outcome, Output, Role};
use std::hash::{Hash, Hasher};
use std::time::Duration;

/// Time stands still: any deadline that runs may pass at any moment.
pub(super) const NOW: Duration = Duration::ZERO;

/// What the user of an end may still want.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Wishes {
    pub(super) requests: u8,
    pub(super) leave: u8,
    pub(super) fail: u8,
    pub(super) abort: u8,
}

/// What the user of an end wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Wish {
    /// A request.
    Send,
    /// A polite end.
    Leave,
    /// An end with an error.
    Fail,
    /// To let go at once.
    Abort,
}

impl Wish {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Send => "a request",
            Self::Leave => "leave",
            Self::Fail => "fail",
            Self::Abort => "abort",
        }
    }
}

impl Wishes {
    /// Those of one side in `setup`.
    pub(super) fn of(setup: &Setup, role: Role) -> Self {
        let wants = |roles: &[Role]| if roles.contains(&role) { setup.times } else { 0 };
        let requests = if role == Role::Client { setup.requests } else { 0 };
        Self { requests, leave: wants(setup.leave), fail: wants(setup.fail), abort: wants(setup.abort) }
    }

    pub(super) fn open(self) -> impl Iterator<Item = Wish> {
        let all = [
            (self.requests > 0, Wish::Send),
            (self.leave > 0, Wish::Leave),
            (self.fail > 0, Wish::Fail),
            (self.abort > 0, Wish::Abort),
        ];
        all.into_iter().filter_map(|(open, wish)| open.then_some(wish))
    }
}

/// What has been heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Got {
    /// The peer's preface.
    pub(super) preface: bool,
    /// The peer's last word, and whether one's own had left before.
    pub(super) word: Option<(u64, CloseCode, bool)>,
    /// Something behind it.
    pub(super) behind_word: bool,
    pub(super) fin: bool,
    pub(super) reset: bool,
    /// Part of a unit.
    pub(super) inside: bool,
}

/// Whether the program is there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Place {
    Here,
    /// It has reported this, and let go.
    Over(Outcome),
    /// It was killed.
    Gone,
}

/// What a connection does at once, before anything else can happen.
pub(super) enum Turn {
    Rest,
    Abort,
    Ended(Outcome),
}

#[derive(Clone, Debug)]
pub(super) struct End {
    pub(super) role: Role,
    pub(super) connection: Connection,
    pub(super) place: Place,
    pub(super) left: Wishes,
    pub(super) said: Said,
    pub(super) got: Got,
    /// Server: requests that ran.
    pub(super) ran: u64,
    /// Client: answers that the user was given.
    pub(super) held: u64,
    /// Its user closed the sending half below the protocol: the transport takes nothing more.
    pub(super) half_closed: bool,
    /// What waits to be sent, in pieces.
    pub(super) outgoing: Vec<Piece>,
    /// FIN is due.
    pub(super) fin_due: bool,
    /// See [`End::identify`].
    pub(super) identity: u128,
}

/// The connection of a program that is not there decides nothing any more, what it reported is held against what
/// happens later.
impl Hash for End {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match &self.place {
            Place::Here => (&self.connection, self.left, &self.said, self.got, self.half_closed).hash(state),
            Place::Over(outcome) => (1, outcome, self.connection.machine().account(), self.said.word).hash(state),
            Place::Gone => (2, self.said.word).hash(state),
        }
        (self.ran, self.held).hash(state);
    }
}

impl End {
    pub(super) fn new(role: Role, connection: Connection, plain: bool, left: Wishes) -> Self {
        Self {
            role,
            connection,
            place: Place::Here,
            left,
            said: Said::new(role, plain),
            got: Got::default(),
            ran: 0,
            held: 0,
            half_closed: false,
            outgoing: Vec::new(),
            fin_due: false,
            identity: 0,
        }
    }

    /// Hashes the end, which is done once for every change of it.
    pub(super) fn identify(&mut self) {
        self.identity = identity(self);
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

    /// Whether nothing can be sent any more behind what was.
    pub(super) fn has_shut(&self) -> bool {
        self.said.fin || self.half_closed
    }

    /// The state in words.
    pub(super) fn show(&self) -> String {
        let machine = self.connection.machine();
        let verdict = machine.verdict().map(|end| format!(" ({})", end.name())).unwrap_or_default();
        match &self.place {
            Place::Here => format!("{} {:?}/{:?}{verdict}", name(self.role), machine.sent(), machine.heard()),
            Place::Over(outcome) => format!("{} ended: {outcome}", name(self.role)),
            Place::Gone => format!("{} is gone", name(self.role)),
        }
    }

    fn note(&self, sample: Sample, notes: &mut Notes) {
        notes.pair(self.connection.machine(), sample);
    }

    // ---- what is wanted ----

    pub(super) fn wish(&mut self, wish: Wish, notes: &mut Notes) {
        match wish {
            Wish::Send => {
                self.note(Sample::Send, notes);
                self.left.requests -= 1;
                let before = self.connection.machine().clone();
                let message = format!("ask {}\n", before.account().asked + 1);
                // A conversation that is ending takes no more, and says so.
                let _ = self.connection.send(NOW, message.as_bytes());
                self.note_first_byte(&before, notes);
            }
            Wish::Leave => {
                self.note(Sample::Leave, notes);
                self.left.leave -= 1;
                let unspoken = self.role == Role::Server && self.connection.is_plain().is_none();
                notes.see_if(unspoken, Sight::LeftUnspoken);
                self.connection.leave(NOW, Farewell::normal());
            }
            Wish::Fail => {
                self.note(Sample::Fail, notes);
                self.left.fail -= 1;
                self.connection.fail(NOW, Farewell::new(CloseCode::INTERNAL, "broken"));
            }
            Wish::Abort => {
                self.note(Sample::Abort, notes);
                self.left.abort -= 1;
                self.connection.abort(NOW);
            }
        }
    }

    pub(super) fn expire(&mut self, deadline: Deadline, notes: &mut Notes) {
        self.note(Sample::Deadline(deadline), notes);
        notes.see(Sight::Passed(self.role, deadline));
        self.connection.expire(NOW, deadline);
    }

    // ---- writing ----

    /// Lets the connection do what it does at once; then `outgoing` and `fin_due` say what it waits to do.
    pub(super) fn settle(&mut self, cuts: &[usize], notes: &mut Notes) -> Turn {
        self.outgoing.clear();
        self.fin_due = false;
        loop {
            match self.connection.poll_output(NOW) {
                Output::Transmit { .. } if self.half_closed => self.fail_to_write(notes),
                Output::Transmit { header, payload } => {
                    self.outgoing = self.said.pieces(&[header, payload].concat(), cuts);
                    return Turn::Rest;
                }
                Output::Fin => {
                    self.fin_due = true;
                    return Turn::Rest;
                }
                Output::Wait(_) => return Turn::Rest,
                Output::Abort => {
                    self.connection.handle_fin_sent(NOW);
                    return Turn::Abort;
                }
                Output::Ended(outcome) => return Turn::Ended(outcome),
            }
        }
    }

    /// The transport takes the next `count` pieces.
    pub(super) fn write(&mut self, count: usize, notes: &mut Notes) -> Result<Vec<Piece>, Breach> {
        let before = self.connection.machine().clone();
        let pieces: Vec<Piece> = self.outgoing.drain(..count).collect();
        let facts = Facts { ran: self.ran, held: self.held, heard: self.got.word.map(|(last, ..)| last) };
        for piece in &pieces {
            self.said.say(piece, facts)?;
        }
        self.connection.handle_sent(NOW, pieces.iter().map(|piece| piece.bytes.len()).sum());
        self.note_first_byte(&before, notes);
        Ok(pieces)
    }

    fn note_first_byte(&self, before: &close::Machine, notes: &mut Notes) {
        if self.connection.machine().account().begun > before.account().begun {
            notes.pair(before, Sample::FirstByteLeft);
        }
    }

    pub(super) fn fail_to_write(&mut self, notes: &mut Notes) {
        notes.see(Sight::WriteFailed(self.role));
        if self.connection.machine().heard() == close::Direction::Finished {
            self.note(Sample::Reset, notes);
        }
        self.connection.handle_write_failed(NOW);
    }

    // ---- reading ----

    /// Reads `bytes`, which complete `units`.
    pub(super) fn read(&mut self, bytes: &[u8], units: &[Unit], notes: &mut Notes) -> Result<(), Breach> {
        let (mut input, mut units) = (bytes, units.iter());
        loop {
            let discards = self.connection.machine().is_discarding();
            let sample = units.as_slice().first().filter(|_| !discards).and_then(|unit| self.sample(*unit));
            let before = self.connection.machine().clone();
            let Some(event) = self.connection.handle_input(NOW, &mut input) else { return Ok(()) };
            let heard = match event {
                Event::Request { seq, .. } => Heard::Request(seq),
                Event::Reply(reply) => Heard::Reply(reply.seq),
                Event::Greeted { .. } => Heard::Preface,
                Event::LastWord(_) => Heard::Word,
                Event::Leaving(_) => Heard::GoAway,
                Event::Text(_) | Event::Discarded => Heard::Other,
            };
            let unit = units.next().copied();
            if let Some(sample) = sample {
                notes.pair(&before, sample);
                self.got.behind_word |= self.got.word.is_some();
            }
            if sample == Some(Sample::NextRequest) && self.role == Role::Server {
                notes.see_if(!matches!(heard, Heard::Request(_)), Sight::NotRun);
            }
            self.hear(heard, unit, &before, notes)?;
        }
    }

    /// What the machine is told when `unit` has come whole, if it is told something.
    fn sample(&self, unit: Unit) -> Option<Sample> {
        let machine = self.connection.machine();
        let violation = close::Event::Violation(echo_core::Violation::protocol("", ""));
        let event = match unit {
            Unit::Preface => return None,
            Unit::Line | Unit::Broken if self.connection.is_plain() == Some(true) && self.role == Role::Client => {
                return None;
            }
            Unit::Line => close::Event::Request(machine.account().asked + 1),
            Unit::Echo(seq) => close::Event::Request(seq),
            Unit::Reply(seq) => close::Event::Answer(seq),
            Unit::GoAway(last) => close::Event::GoAway { last },
            Unit::Close { last, code, fin_first } => {
                let server = self.role == Role::Server;
                let unsent = server && machine.sent() == close::Direction::Closed && !self.said.word_left;
                let first_fin = if fin_first { Role::Server } else { Role::Client };
                // A connection takes a count of answers that have not left for one that cannot be.
                let last = if server && last > self.said.replies { u64::MAX } else { last };
                match unsent && code.is_clean() {
                    true => violation,
                    false => close::Event::Close { last, farewell: Farewell::new(code, ""), first_fin },
                }
            }
            Unit::Unknown => close::Event::Other,
            Unit::Broken => violation,
        };
        Some(Sample::meaning(&event, machine))
    }

    fn hear(
        &mut self,
        heard: Heard,
        unit: Option<Unit>,
        before: &close::Machine,
        notes: &mut Notes,
    ) -> Result<(), Breach> {
        match heard {
            Heard::Request(seq) => {
                notes.pair_owing(before);
                self.ran += 1;
                ensure(seq == self.ran, Rule::Answers, || format!("request {seq} runs as number {}", self.ran))
            }
            Heard::Reply(seq) => {
                self.held += 1;
                ensure(seq == self.held, Rule::Answers, || format!("answer {seq} comes as number {}", self.held))
            }
            Heard::Preface => {
                self.got.preface = true;
                Ok(())
            }
            Heard::Word => {
                if let Some(Unit::Close { last, code, .. }) = unit {
                    self.got.word = Some((last, code, self.said.word_left));
                    notes.see_if(self.connection.is_write_closed(), Sight::WordBehindFailure(self.role));
                }
                Ok(())
            }
            Heard::GoAway => {
                // Who has said it unasked has sent it before it could read the other's.
                notes.see_if(self.role == Role::Client && self.said.goaway, Sight::CrossingGoAways);
                Ok(())
            }
            Heard::Other => Ok(()),
        }
    }

    /// What has come of a line is a message now.
    pub(super) fn fall_quiet(&mut self, notes: &mut Notes) {
        let before = self.connection.machine().clone();
        self.connection.handle_quiet(NOW);
        if self.connection.machine().account().asked > before.account().asked {
            notes.pair(&before, Sample::NextRequest);
            notes.pair_owing(&before);
            self.ran += 1;
        }
    }

    pub(super) fn read_fin(&mut self, notes: &mut Notes) {
        notes.see_if(self.got.inside, Sight::FinInside(self.role));
        self.got.fin = true;
        self.fall_quiet(notes);
        self.note(Sample::Fin, notes);
        self.connection.handle_fin(NOW);
    }

    pub(super) fn read_reset(&mut self, notes: &mut Notes) {
        self.got.reset = true;
        self.note(Sample::Reset, notes);
        self.connection.handle_reset(NOW);
    }
}

/// What a connection said of its input.
enum Heard {
    Preface,
    Request(u64),
    Reply(u64),
    GoAway,
    Word,
    Other,
}
