//! The effect of each sample of an event on close machines in every reachable state.

use echo_core::close::table::{self, Sample, State};
use echo_core::close::{Action, Actions, CloseHandshake, HalfState, Machine, Order, Policy};
use echo_core::{End, Role};
use std::collections::{BTreeMap, BTreeSet};

/// One kind of conversation, at one end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Setup {
    pub(crate) name: &'static str,
    pub(crate) role: Role,
    pub(crate) policy: Policy,
}

impl Setup {
    /// The samples that can occur.
    pub(crate) fn samples(self) -> impl Iterator<Item = Sample> {
        Sample::of(self.policy)
    }
}

const fn policy(handshake: CloseHandshake, first_fin: Role) -> Policy {
    Policy { handshake, order: Order::Asked, first_fin }
}

/// All setups with different tables.
pub(crate) const SETUPS: [Setup; 8] = [
    Setup { name: "framed server", role: Role::Server, policy: Policy::FRAMED },
    Setup { name: "framed client", role: Role::Client, policy: Policy::FRAMED },
    Setup {
        name: "framed server that sends FIN first",
        role: Role::Server,
        policy: policy(CloseHandshake::Acknowledged, Role::Server),
    },
    Setup {
        name: "server with the only CLOSE",
        role: Role::Server,
        policy: policy(CloseHandshake::Server, Role::Client),
    },
    Setup {
        name: "server with the only CLOSE that sends FIN first",
        role: Role::Server,
        policy: policy(CloseHandshake::Server, Role::Server),
    },
    Setup {
        name: "client of a server with the only CLOSE",
        role: Role::Client,
        policy: policy(CloseHandshake::Server, Role::Client),
    },
    Setup { name: "plain server", role: Role::Server, policy: Policy::PLAIN },
    Setup { name: "plain client", role: Role::Client, policy: Policy::PLAIN },
];

/// The effect of an event.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Effect {
    pub(crate) sent: HalfState,
    pub(crate) received: HalfState,
    pub(crate) actions: Vec<&'static str>,
    /// The verdict, if this event changed it.
    pub(crate) verdict: Option<String>,
}

fn action_names(actions: Actions) -> Vec<&'static str> {
    let name = |action| match action {
        Action::Deliver => "deliver",
        Action::Discard => "discard",
        Action::GoAway => "GOAWAY",
        Action::Close => "CLOSE",
        Action::Fin => "FIN",
        Action::CloseTransport => "close transport",
        Action::Abort => "abort",
    };
    actions.into_iter().map(name).collect()
}

/// The verdict as text. The numbers of a violation come from the samples, so they are left out.
fn verdict_name(end: &End) -> String {
    let text = end.to_string();
    match end {
        End::Violation(_) => {
            text.split(|c: char| c.is_ascii_digit()).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("n")
        }
        End::Clean(_) => "clean".into(),
        End::Unproven | End::Failed { .. } | End::Truncated => text,
        End::UnexpectedEof | End::Reset | End::TimedOut(_) => text,
    }
}

/// Applies `sample` to a copy of `machine`.
pub(crate) fn step(machine: &Machine, sample: Sample) -> (Machine, Effect) {
    let mut next = machine.clone();
    let actions = match sample.event(machine) {
        Some(event) => next.handle(event),
        None => {
            next.note_begun(next.account().asked);
            Actions::default()
        }
    };
    let verdict = next.verdict().filter(|_| next.verdict() != machine.verdict()).map(verdict_name);
    let effect = Effect { sent: next.sent(), received: next.received(), actions: action_names(actions), verdict };
    (next, effect)
}

/// All machines that are reachable from the initial state of `setup`.
pub(crate) fn reachable(setup: Setup) -> Vec<Machine> {
    table::reachable(setup.role, setup.policy)
}

/// The effects of each sample in each state: several if they depend on the counts.
pub(crate) type Table = BTreeMap<State, BTreeMap<Sample, BTreeSet<Effect>>>;

pub(crate) fn table(setup: Setup) -> Table {
    let mut table = Table::new();
    for machine in reachable(setup) {
        let row = table.entry(State::of(&machine)).or_default();
        for sample in setup.samples() {
            row.entry(sample).or_default().insert(step(&machine, sample).1);
        }
    }
    table
}
