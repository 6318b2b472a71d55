//! The table of the close machine: its reachable states, and a sample of each event (PROTOCOL.md, section 9).
//!
//! The machine counts requests, so its states are infinite. The table has classes of them, [`State`], and one
//! [`Sample`] for each case of an event. A protocol can use it to print the machine's behaviour under its own policy,
//! and to measure what its tests reach.
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

/// Maximum number of requests in the search for states.
const REQUESTS: u64 = 2;

/// One case of an event at a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "`name` describes each sample")]
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

    /// Returns the samples that can occur under `policy`: a policy without CLOSE has no frames.
    pub fn of(policy: Policy) -> impl Iterator<Item = Self> {
        Self::ALL
            .into_iter()
            .filter(move |sample| policy.handshake != CloseHandshake::None || !sample.is_control_frame())
    }

    fn is_control_frame(self) -> bool {
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

    /// Returns the sample's name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::FirstByteLeft => "first byte of a request sent",
            Self::Answered => "answered",
            Self::AnsweredTooMuch => "answered an unaccepted request",
            Self::Leave => "leave",
            Self::Fail => "fail",
            Self::Abort => "abort",
            Self::NextRequest => "next request",
            Self::OtherRequest => "request out of order",
            Self::NextAnswer => "next answer",
            Self::OtherAnswer => "answer out of order",
            Self::RightGoAway => "GOAWAY, right count",
            Self::WrongGoAway => "GOAWAY, wrong count",
            Self::RightClose => "CLOSE, right count",
            Self::RightCloseFinFirst => "CLOSE, right count and the FIN flag",
            Self::WrongClose => "CLOSE, wrong count",
            Self::ErrorClose => "CLOSE, an error",
            Self::ErrorCloseFinFirst => "CLOSE, an error and the FIN flag",
            Self::ErrorCloseThatCannotBe => "CLOSE, an error and an impossible count",
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

    /// Returns the sample's event in the state of `machine`. [`Machine::note_begun`] is no event, so its sample gives
    /// `None`.
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

    /// Returns the sample of `event` in the state of `machine`: the inverse of [`Sample::event`].
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
    /// Returns the count that a correct peer's CLOSE carries now.
    fn right_close(&self) -> u64 {
        match self.role() {
            Role::Client => self.account().answered.mark(),
            Role::Server => self.last(Action::Close),
        }
    }

    /// Returns the count that a correct peer's GOAWAY carries now.
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

    /// Server: returns the lowest request that is accepted and not answered, or the last accepted one.
    fn next_unanswered(&self) -> u64 {
        let accepted = self.last(Action::Close);
        (1..=accepted).find(|seq| !self.queued.contains(*seq)).unwrap_or(accepted)
    }

    /// Returns whether a server owes an answer, or a client may still receive one.
    fn is_owing(&self) -> bool {
        match (self.role, self.sent) {
            (Role::Client, HalfState::Open | HalfState::Leaving) => self.account.answered.count() < self.account.begun,
            (Role::Server, HalfState::Open | HalfState::Leaving) => self.owes(),
            (_, HalfState::Closed | HalfState::Failed | HalfState::Finished) => false,
        }
    }
}

/// The kind of verdict, if any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    /// No verdict yet.
    None,
    /// A clean end.
    Clean,
    /// Any other end.
    Other,
}

/// The part of a machine's state that the table shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct State {
    /// State of this side's direction.
    pub sent: HalfState,
    /// State of the peer's direction.
    pub received: HalfState,
    /// Whether a server owes answers, or a client waits for some.
    pub owes: bool,
    /// The kind of verdict.
    pub verdict: Verdict,
}

impl State {
    /// Returns the state of `machine`.
    pub fn of(machine: &Machine) -> Self {
        let verdict = match machine.verdict() {
            None => Verdict::None,
            Some(End::Clean(_)) => Verdict::Clean,
            Some(End::Unproven | End::Failed { .. } | End::Truncated | End::Reset) => Verdict::Other,
            Some(End::TimedOut(_) | End::Violation(_) | End::UnexpectedEof) => Verdict::Other,
        };
        Self { sent: machine.sent(), received: machine.received(), owes: machine.is_owing(), verdict }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} / {:?}", self.sent, self.received)?;
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

/// Returns all machines reachable from the start with up to two requests, in the order of the search.
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
