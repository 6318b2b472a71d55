//! The table of the close machine: the states it can reach, and a sample of every event (PROTOCOL.md, section 9).
//!
//! The machine counts requests and so has no end of states; the table speaks of classes of them, [`State`], and of one
//! [`Sample`] for each way in which an event can meet them. With it a protocol can print what the machine does under a
//! policy of its own, and measure what its tests reach.
//!
//! ```
//! use echo_core::Role;
//! use echo_core::close::Policy;
//! use echo_core::close::table::{Sample, State, reachable};
//!
//! for machine in reachable(Role::Server, Policy::PLAIN) {
//!     for sample in Sample::of(Policy::PLAIN) {
//!         let mut next = machine.clone();
//!         let actions = sample.event(&machine).map(|event| next.handle(event));
//!         println!("{}, {sample}: {}, {actions:?}", State::of(&machine), State::of(&next));
//!     }
//! }
//! ```

use super::{Action, CloseHandshake, CloseReason, HalfState, Machine, MachineEvent, Policy, Role};
use crate::error::{CloseCode, Violation};
use crate::outcome::End;
use crate::timers::Deadline;
use std::collections::BTreeSet;
use std::fmt;

/// Requests are made up to this number while states are searched for.
const REQUESTS: u64 = 2;

/// One way in which an event can meet a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names below say it")]
pub enum Sample {
    Send,
    FirstByteLeft,
    Answered,
    AnsweredTooMuch,
    Leave,
    Fail,
    Abort,
    NextRequest,
    OtherRequest,
    NextAnswer,
    OtherAnswer,
    RightGoAway,
    WrongGoAway,
    RightClose,
    RightCloseFinFirst,
    WrongClose,
    ErrorClose,
    ErrorCloseFinFirst,
    ErrorCloseThatCannotBe,
    Other,
    Violation,
    Fin,
    Reset,
    Deadline(Deadline),
}

impl Sample {
    /// All samples.
    pub const ALL: [Self; 33] = [
        Self::Send,
        Self::FirstByteLeft,
        Self::Answered,
        Self::AnsweredTooMuch,
        Self::Leave,
        Self::Fail,
        Self::Abort,
        Self::NextRequest,
        Self::OtherRequest,
        Self::NextAnswer,
        Self::OtherAnswer,
        Self::RightGoAway,
        Self::WrongGoAway,
        Self::RightClose,
        Self::RightCloseFinFirst,
        Self::WrongClose,
        Self::ErrorClose,
        Self::ErrorCloseFinFirst,
        Self::ErrorCloseThatCannotBe,
        Self::Other,
        Self::Violation,
        Self::Fin,
        Self::Reset,
        Self::Deadline(Deadline::Connect),
        Self::Deadline(Deadline::Detect),
        Self::Deadline(Deadline::Answer),
        Self::Deadline(Deadline::Idle),
        Self::Deadline(Deadline::Write),
        Self::Deadline(Deadline::Drain),
        Self::Deadline(Deadline::Close),
        Self::Deadline(Deadline::Fin),
        Self::Deadline(Deadline::Linger),
        Self::Deadline(Deadline::Shutdown),
    ];

    /// The samples that can happen under `policy`: where there are no CLOSE frames there are no frames.
    pub fn of(policy: Policy) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |sample| policy.words != CloseHandshake::None || !sample.is_word())
    }

    fn is_word(self) -> bool {
        match self {
            Self::RightGoAway | Self::WrongGoAway | Self::RightClose | Self::RightCloseFinFirst => true,
            Self::WrongClose | Self::ErrorClose | Self::ErrorCloseFinFirst | Self::ErrorCloseThatCannotBe => true,
            Self::Other => true,
            Self::Send | Self::FirstByteLeft | Self::Answered | Self::AnsweredTooMuch => false,
            Self::Leave | Self::Fail | Self::Abort | Self::NextRequest | Self::OtherRequest => false,
            Self::NextAnswer | Self::OtherAnswer | Self::Violation | Self::Fin | Self::Reset => false,
            Self::Deadline(_) => false,
        }
    }

    /// Its name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::FirstByteLeft => "first byte of a request left",
            Self::Answered => "answered",
            Self::AnsweredTooMuch => "answered what was not accepted",
            Self::Leave => "leave",
            Self::Fail => "fail",
            Self::Abort => "abort",
            Self::NextRequest => "request: the next",
            Self::OtherRequest => "request out of order",
            Self::NextAnswer => "answer: the next",
            Self::OtherAnswer => "answer out of order",
            Self::RightGoAway => "GOAWAY, right count",
            Self::WrongGoAway => "GOAWAY, wrong count",
            Self::RightClose => "CLOSE, right count",
            Self::RightCloseFinFirst => "CLOSE, right count and the FIN flag",
            Self::WrongClose => "CLOSE, wrong count",
            Self::ErrorClose => "CLOSE, an error",
            Self::ErrorCloseFinFirst => "CLOSE, an error and the FIN flag",
            Self::ErrorCloseThatCannotBe => "CLOSE, an error and a count that cannot be",
            Self::Other => "unknown frame",
            Self::Violation => "violation",
            Self::Fin => "FIN",
            Self::Reset => "reset",
            Self::Deadline(Deadline::Connect) => "deadline connect",
            Self::Deadline(Deadline::Detect) => "deadline detect",
            Self::Deadline(Deadline::Answer) => "deadline answer",
            Self::Deadline(Deadline::Idle) => "deadline idle",
            Self::Deadline(Deadline::Write) => "deadline write",
            Self::Deadline(Deadline::Drain) => "deadline drain",
            Self::Deadline(Deadline::Close) => "deadline close",
            Self::Deadline(Deadline::Fin) => "deadline fin",
            Self::Deadline(Deadline::Linger) => "deadline linger",
            Self::Deadline(Deadline::Shutdown) => "deadline shutdown",
        }
    }

    /// The event it is in the state of `machine`, or `None` for the one that is no event: [`Machine::note_begun`].
    pub fn event(self, machine: &Machine) -> Option<MachineEvent> {
        let asked = machine.account().asked;
        let answered = machine.account().answered.mark();
        let error = || CloseReason::new(CloseCode::INTERNAL, "broken");
        let close = |last, close_reason, first_fin| MachineEvent::Close { last, close_reason, first_fin };
        let right = machine.right_close();
        Some(match self {
            Self::Send => MachineEvent::Send,
            Self::FirstByteLeft => return None,
            Self::Answered => MachineEvent::Answered(machine.next_unanswered()),
            Self::AnsweredTooMuch => MachineEvent::Answered(machine.last(Action::Close) + 1),
            Self::Leave => MachineEvent::Leave(CloseReason::normal()),
            Self::Fail => MachineEvent::Fail(error()),
            Self::Abort => MachineEvent::Abort,
            Self::NextRequest => MachineEvent::Request(asked + 1),
            Self::OtherRequest => MachineEvent::Request(asked + 2),
            Self::NextAnswer => MachineEvent::Answer(answered + 1),
            Self::OtherAnswer => MachineEvent::Answer(answered + 2),
            Self::RightGoAway => MachineEvent::GoAway { last: machine.right_goaway() },
            Self::WrongGoAway => MachineEvent::GoAway { last: asked + 1 },
            Self::RightClose => close(right, CloseReason::normal(), Role::Client),
            Self::RightCloseFinFirst => close(right, CloseReason::normal(), Role::Server),
            Self::WrongClose => close(right + 1, CloseReason::normal(), Role::Client),
            Self::ErrorClose => close(answered, error(), Role::Client),
            Self::ErrorCloseFinFirst => close(answered, error(), Role::Server),
            Self::ErrorCloseThatCannotBe => close(asked + 9, error(), Role::Client),
            Self::Other => MachineEvent::Other,
            Self::Violation => MachineEvent::Violation(Violation::protocol("this", "that")),
            Self::Fin => MachineEvent::Fin,
            Self::Reset => MachineEvent::Reset,
            Self::Deadline(deadline) => MachineEvent::Deadline(deadline),
        })
    }

    /// The sample that stands for `event` in the state of `machine`: what [`Sample::event`] gives, the other way round.
    pub fn meaning(event: &MachineEvent, machine: &Machine) -> Self {
        match event {
            MachineEvent::Send => Self::Send,
            MachineEvent::Answered(seq) if *seq <= machine.last(Action::Close) => Self::Answered,
            MachineEvent::Answered(_) => Self::AnsweredTooMuch,
            MachineEvent::Leave(_) => Self::Leave,
            MachineEvent::Fail(_) => Self::Fail,
            MachineEvent::Abort => Self::Abort,
            MachineEvent::Request(seq) if *seq == machine.account().asked + 1 => Self::NextRequest,
            MachineEvent::Request(_) => Self::OtherRequest,
            MachineEvent::Answer(seq) if *seq == machine.account().answered.mark() + 1 => Self::NextAnswer,
            MachineEvent::Answer(_) => Self::OtherAnswer,
            MachineEvent::GoAway { last } if *last == machine.right_goaway() => Self::RightGoAway,
            MachineEvent::GoAway { .. } => Self::WrongGoAway,
            MachineEvent::Close { last, close_reason, first_fin } => {
                machine.meaning_of_close(*last, close_reason.code, *first_fin)
            }
            MachineEvent::Other => Self::Other,
            MachineEvent::Violation(_) => Self::Violation,
            MachineEvent::Fin => Self::Fin,
            MachineEvent::Reset => Self::Reset,
            MachineEvent::Deadline(deadline) => Self::Deadline(*deadline),
        }
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Machine {
    /// The count that a correct peer's CLOSE would carry now.
    fn right_close(&self) -> u64 {
        match self.role() {
            Role::Client => self.account().answered.mark(),
            Role::Server => self.last(Action::Close),
        }
    }

    /// The count that a correct peer's GOAWAY would carry now.
    fn right_goaway(&self) -> u64 {
        match self.role() {
            Role::Client => 0,
            Role::Server => self.account().asked,
        }
    }

    fn meaning_of_close(&self, last: u64, code: CloseCode, first_fin: Role) -> Sample {
        let flagged = first_fin == Role::Server;
        if !code.is_clean() {
            return match last > self.account().asked {
                true => Sample::ErrorCloseThatCannotBe,
                false if flagged => Sample::ErrorCloseFinFirst,
                false => Sample::ErrorClose,
            };
        }
        match last == self.right_close() {
            true if flagged => Sample::RightCloseFinFirst,
            true => Sample::RightClose,
            false => Sample::WrongClose,
        }
    }

    /// Server: the lowest request it accepted and has not answered, or the last accepted.
    fn next_unanswered(&self) -> u64 {
        let accepted = self.last(Action::Close);
        (1..=accepted).find(|seq| !self.queued.contains(*seq)).unwrap_or(accepted)
    }

    /// Whether a server has accepted what it has not answered, or a client may still get an answer it waits for.
    fn is_owing(&self) -> bool {
        match (self.role, self.sent) {
            (Role::Client, HalfState::Open | HalfState::Leaving) => self.account.answered.count() < self.account.begun,
            (Role::Server, HalfState::Open | HalfState::Leaving) => self.owes(),
            (_, HalfState::Closed | HalfState::Failed | HalfState::Finished) => false,
        }
    }
}

/// What verdict there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    /// None yet.
    None,
    /// A clean end.
    Clean,
    /// Any other.
    Other,
}

/// The part of a machine's state that the table speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct State {
    /// How far its own direction has come.
    pub sent: HalfState,
    /// How far the peer's has.
    pub heard: HalfState,
    /// Whether a server owes answers, or a client is owed some.
    pub owes: bool,
    /// Whether there is a verdict.
    pub verdict: Verdict,
}

impl State {
    /// That of `machine`.
    pub fn of(machine: &Machine) -> Self {
        let verdict = match machine.verdict() {
            None => Verdict::None,
            Some(End::Clean(_)) => Verdict::Clean,
            Some(End::Unproven | End::Failed { .. } | End::Truncated | End::Reset) => Verdict::Other,
            Some(End::TimedOut(_) | End::Violation(_)) => Verdict::Other,
        };
        Self { sent: machine.sent(), heard: machine.heard(), owes: machine.is_owing(), verdict }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} / {:?}", self.sent, self.heard)?;
        if self.owes {
            write!(f, ", owing")?;
        }
        match self.verdict {
            Verdict::None => Ok(()),
            Verdict::Clean => write!(f, ", clean"),
            Verdict::Other => write!(f, ", not clean"),
        }
    }
}

/// Every machine that can be reached from the beginning with up to two requests, in the order in which they are found.
pub fn reachable(role: Role, policy: Policy) -> Vec<Machine> {
    let first = Machine::new(role, policy);
    let mut seen = BTreeSet::from([first.clone()]);
    let mut found = vec![first];
    let mut at = 0;
    while let Some(machine) = found.get(at).cloned() {
        at += 1;
        for sample in Sample::of(policy) {
            let mut next = machine.clone();
            match sample.event(&machine) {
                Some(event) => drop(next.handle(event)),
                None => next.note_begun(next.account().asked),
            }
            if next.account().asked <= REQUESTS && seen.insert(next.clone()) {
                found.push(next);
            }
        }
    }
    found
}
