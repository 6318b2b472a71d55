//! What a search has observed: pairs of the table, and goals.

use crate::support::pairs::{Pairs, Subject};
use echo_core::close::Machine;
use echo_core::close::table::{Sample, State};
use echo_core::{Deadline, Role};
use std::collections::BTreeSet;
use std::fmt;

/// The kind of a machine and its state in the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Situation {
    subject: Subject,
    state: State,
}

impl Situation {
    pub(super) fn of(machine: &Machine) -> Self {
        Self { subject: Subject::of(machine), state: State::of(machine) }
    }
}

/// The observations of a search.
#[derive(Clone, Debug, Default)]
pub(super) struct Observations {
    pub(super) pairs: BTreeSet<(Subject, State, Sample)>,
    pub(super) sights: BTreeSet<Goal>,
}

impl Observations {
    pub(super) fn see(&mut self, sight: Goal) {
        self.sights.insert(sight);
    }

    pub(super) fn see_if(&mut self, seen: bool, sight: Goal) {
        if seen {
            self.see(sight);
        }
    }

    pub(super) fn pair(&mut self, Situation { subject, state }: Situation, sample: Sample) {
        self.pairs.insert((subject, state, sample));
    }

    /// Adds what the observer of a service has seen.
    pub(super) fn add(&mut self, Pairs(pairs): Pairs) {
        self.pairs.extend(pairs);
    }

    /// Notes that a connection answers by itself: after an accepted request, the machine receives the answer next.
    pub(super) fn pair_owing(&mut self, Situation { subject, state }: Situation) {
        self.pairs.insert((subject, State { owes: true, ..state }, Sample::Answered));
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.pairs.extend(&other.pairs);
        self.sights.extend(&other.sights);
    }
}

/// Something that must be possible. If a goal is not observed, the exploration is incomplete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Goal {
    /// Each side sent GOAWAY before it read the peer's.
    CrossingGoAways,
    /// The client ends clean and the server does not, because the client's CLOSE was lost.
    CloseLost,
    /// Both ends are clean.
    BothClean,
    /// A request is refused at this side.
    Refused(Role),
    /// A request is unknown at this side.
    Unknown(Role),
    /// A request that arrived after the server's CLOSE did not run.
    NotRun,
    /// FIN was read inside a frame or preface.
    FinInside(Role),
    /// RST was read before data that was sent earlier.
    ResetOvertook(Role),
    /// RST was read after all data.
    ResetBehind(Role),
    /// A write failed.
    WriteFailed(Role),
    /// The peer's CLOSE was read after a write had failed.
    WordBehindFailure(Role),
    /// A deadline of this side passed.
    Passed(Role, Deadline),
    /// This side ended with this [`echo_core::End::name`].
    Ended(Role, &'static str),
    /// The server left before the client had sent anything.
    LeftUnspoken,
    /// A client that half-closed below the protocol received its answers and the reason.
    HalfCloseAnswered,
    /// A request was sent in part, and then counted as unknown.
    SentInPart,
    /// The client learns that the service has no answer.
    FailedRequest,
    /// An answer waits for one before it.
    AnswerWaits,
    /// The service's user answers after the ending has begun.
    AnswerInEnding,
}

impl Goal {
    /// Returns all goals: everything above, each deadline where it can run, and each end at each side.
    pub fn all() -> impl Iterator<Item = Self> {
        use Deadline::{Answer, Close, Connect, Detect, Drain, Fin, Idle, Linger, Shutdown, Write};
        let once = [
            Self::CrossingGoAways,
            Self::CloseLost,
            Self::BothClean,
            Self::NotRun,
            Self::LeftUnspoken,
            Self::SentInPart,
            Self::FailedRequest,
            Self::AnswerWaits,
            Self::AnswerInEnding,
        ];
        let kinds = [
            Self::Refused,
            Self::Unknown,
            Self::FinInside,
            Self::ResetOvertook,
            Self::ResetBehind,
            Self::WriteFailed,
            Self::WordBehindFailure,
        ];
        let both = Role::BOTH;
        let passed = [
            (Role::Client, [Connect, Answer, Idle, Write, Drain, Fin, Linger, Shutdown]),
            (Role::Server, [Detect, Close, Idle, Write, Drain, Fin, Linger, Shutdown]),
        ];
        let passed = passed.into_iter().flat_map(|(role, all)| all.map(|deadline| Self::Passed(role, deadline)));
        // The transports here mark no end of their own.
        let names = || echo_core::End::NAMES.into_iter().filter(|name| *name != echo_core::End::UnexpectedEof.name());
        let ended = both.into_iter().flat_map(move |role| names().map(move |name| Self::Ended(role, name)));
        let sides = both.into_iter().flat_map(move |role| kinds.map(|kind| kind(role)));
        once.into_iter().chain([Self::HalfCloseAnswered]).chain(sides).chain(passed).chain(ended)
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CrossingGoAways => write!(f, "GOAWAYs that cross"),
            Self::CloseLost => write!(f, "a clean client and a server that is not clean: the client's CLOSE was lost"),
            Self::BothClean => write!(f, "both ends clean"),
            Self::Refused(role) => write!(f, "a refused request at the {}", role.name()),
            Self::Unknown(role) => write!(f, "an unknown request at the {}", role.name()),
            Self::NotRun => write!(f, "a request after the server's CLOSE, not run"),
            Self::FinInside(role) => write!(f, "FIN inside a frame or preface at the {}", role.name()),
            Self::ResetOvertook(role) => write!(f, "RST that overtakes data at the {}", role.name()),
            Self::ResetBehind(role) => write!(f, "RST after all data at the {}", role.name()),
            Self::WriteFailed(role) => write!(f, "a write that fails at the {}", role.name()),
            Self::WordBehindFailure(role) => {
                write!(f, "a CLOSE read after a failed write at the {}", role.name())
            }
            Self::Passed(role, deadline) => write!(f, "deadline {deadline} at the {}", role.name()),
            Self::Ended(role, end) => write!(f, "{end} at the {}", role.name()),
            Self::LeftUnspoken => write!(f, "a server that leaves before the client has sent anything"),
            Self::HalfCloseAnswered => write!(f, "a half-close below the protocol, answered"),
            Self::SentInPart => write!(f, "a request sent in part, and unknown"),
            Self::FailedRequest => write!(f, "a request that the service could not answer"),
            Self::AnswerWaits => write!(f, "an answer of a service that waits for the one before it"),
            Self::AnswerInEnding => write!(f, "an answer of a service after the ending has begun"),
        }
    }
}
