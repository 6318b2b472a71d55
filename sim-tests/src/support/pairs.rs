//! The pairs of state and event of the close machine that were reached.

use echo_core::Role;
use echo_core::close::table::{Sample, State};
use echo_core::close::{CloseHandshake, Machine, Policy};
use std::cell::RefCell;
use std::collections::BTreeSet;

/// A set of pairs of a machine's state and an event that occurred in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pairs(pub(crate) BTreeSet<(Subject, State, Sample)>);

thread_local! {
    static SEEN: RefCell<Pairs> = const { RefCell::new(Pairs(BTreeSet::new())) };
}

/// Records a pair for [`Pairs::take`]. It is the value of [`Config::observe`](echo_core::Config) for measuring.
pub fn observe(machine: &Machine, sample: Sample) {
    SEEN.with_borrow_mut(|seen| seen.0.insert((Subject::of(machine), State::of(machine), sample)));
}

impl Pairs {
    /// The number of indices: the largest index plus one.
    pub const COUNT: usize = 5 * 5 * 5 * 2 * 3 * Sample::ALL.len();

    /// Returns what this thread has observed since the last call.
    pub fn take() -> Self {
        SEEN.take()
    }

    /// Adds the pairs of `other`.
    pub fn merge(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Returns the number of pairs.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Returns an index for each pair, below [`Pairs::COUNT`]. It is the same in every process.
    pub fn indices(&self) -> impl Iterator<Item = usize> {
        self.0.iter().map(|(subject, state, sample)| {
            let State { sent, received, owes, verdict } = *state;
            let place = Sample::ALL.iter().position(|other| other == sample).unwrap_or_default();
            let state = ((*subject as usize * 5 + sent as usize) * 5 + received as usize) * 2 + usize::from(owes);
            (state * 3 + verdict as usize) * Sample::ALL.len() + place
        })
    }
}

/// The kinds of machine in a [`Connection`](echo_core::Connection). Each has its own table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// A server on the framed wire; the client sends FIN first.
    FramedServer,
    /// A server on the framed wire that sends FIN first.
    FramedServerFinFirst,
    /// A client on the framed wire.
    FramedClient,
    /// A server on the plain wire, or one that does not yet know its wire.
    PlainServer,
    /// A client on the plain wire.
    PlainClient,
}

impl Subject {
    /// All kinds.
    pub const ALL: [Self; 5] =
        [Self::FramedServer, Self::FramedServerFinFirst, Self::FramedClient, Self::PlainServer, Self::PlainClient];

    pub(crate) fn of(machine: &Machine) -> Self {
        match (machine.role(), machine.policy().handshake, machine.policy().first_fin) {
            (Role::Server, CloseHandshake::None, _) => Self::PlainServer,
            (Role::Client, CloseHandshake::None, _) => Self::PlainClient,
            (Role::Server, CloseHandshake::Server | CloseHandshake::Acknowledged, Role::Client) => Self::FramedServer,
            (Role::Server, CloseHandshake::Server | CloseHandshake::Acknowledged, Role::Server) => {
                Self::FramedServerFinFirst
            }
            (Role::Client, CloseHandshake::Server | CloseHandshake::Acknowledged, _) => Self::FramedClient,
        }
    }

    /// Returns its role and policy.
    pub fn machine(self) -> (Role, Policy) {
        match self {
            Self::FramedServer => (Role::Server, Policy::FRAMED),
            Self::FramedServerFinFirst => (Role::Server, Policy { first_fin: Role::Server, ..Policy::FRAMED }),
            Self::FramedClient => (Role::Client, Policy::FRAMED),
            Self::PlainServer => (Role::Server, Policy::PLAIN),
            Self::PlainClient => (Role::Client, Policy::PLAIN),
        }
    }

    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::FramedServer => "framed server",
            Self::FramedServerFinFirst => "framed server that sends FIN first",
            Self::FramedClient => "framed client",
            Self::PlainServer => "plain server",
            Self::PlainClient => "plain client",
        }
    }
}
