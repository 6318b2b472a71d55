//! Close machines in every state they can reach with up to two requests, and samples of every event.

use echo_core::close::{Action, Actions, Direction, Event, Machine, Order, Policy, Words};
use echo_core::{CloseCode, Deadline, End, Farewell, Role, Violation};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Requests are made up to this number while states are searched for.
const REQUESTS: u64 = 2;

/// One kind of conversation, seen from one end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Setup {
    pub(crate) name: &'static str,
    pub(crate) role: Role,
    pub(crate) policy: Policy,
}

impl Setup {
    /// The samples that can happen: the plain wire has no frames.
    pub(crate) fn samples(self) -> impl Iterator<Item = &'static str> {
        let framed = self.policy.words != Words::None;
        SAMPLES.into_iter().filter(move |sample| {
            framed || !(sample.contains("GOAWAY") || sample.contains("CLOSE") || sample.contains("frame"))
        })
    }
}

const fn policy(words: Words, first_fin: Role) -> Policy {
    Policy { words, order: Order::Asked, first_fin }
}

/// Every setup whose table differs.
pub(crate) const SETUPS: [Setup; 8] = [
    Setup { name: "framed server", role: Role::Server, policy: Policy::FRAMED },
    Setup { name: "framed client", role: Role::Client, policy: Policy::FRAMED },
    Setup {
        name: "framed server that sends FIN first",
        role: Role::Server,
        policy: policy(Words::Acknowledged, Role::Server),
    },
    Setup { name: "server with the only last word", role: Role::Server, policy: policy(Words::Server, Role::Client) },
    Setup {
        name: "server with the only last word that sends FIN first",
        role: Role::Server,
        policy: policy(Words::Server, Role::Server),
    },
    Setup {
        name: "client of a server with the only last word",
        role: Role::Client,
        policy: policy(Words::Server, Role::Client),
    },
    Setup { name: "plain server", role: Role::Server, policy: Policy::PLAIN },
    Setup { name: "plain client", role: Role::Client, policy: Policy::PLAIN },
];

/// Every sample of an event, by name.
pub(crate) const SAMPLES: [&str; 33] = [
    "send",
    "first byte of a request left",
    "answered",
    "answered what was not accepted",
    "leave",
    "fail",
    "abort",
    "request: the next",
    "request out of order",
    "answer: the next",
    "answer out of order",
    "GOAWAY, right count",
    "GOAWAY, wrong count",
    "CLOSE, right count",
    "CLOSE, right count and the FIN flag",
    "CLOSE, wrong count",
    "CLOSE, an error",
    "CLOSE, an error and the FIN flag",
    "CLOSE, an error and a count that cannot be",
    "unknown frame",
    "violation",
    "FIN",
    "reset",
    "deadline connect",
    "deadline detect",
    "deadline answer",
    "deadline idle",
    "deadline write",
    "deadline drain",
    "deadline close",
    "deadline fin",
    "deadline linger",
    "deadline shutdown",
];

fn error() -> Farewell {
    Farewell::new(CloseCode::INTERNAL, "broken")
}

/// The deadline a sample's name speaks of.
pub(crate) fn deadline_of(sample: &str) -> Option<Deadline> {
    let name = sample.strip_prefix("deadline ")?;
    Deadline::ALL.into_iter().find(|deadline| deadline.name() == name)
}

/// The count a correct peer of `machine` would give now.
fn right_count(machine: &Machine) -> u64 {
    match machine.role() {
        Role::Client => machine.account().answered.mark(),
        Role::Server => machine.last(Action::Close),
    }
}

/// The event that `sample` means in the present state, or `None` for the one thing that is no event.
fn event(sample: &str, machine: &Machine) -> Option<Event> {
    let asked = machine.account().asked;
    let answered = machine.account().answered.mark();
    let close = |last, farewell, first_fin| Event::Close { last, farewell, first_fin };
    let right = right_count(machine);
    if let Some(deadline) = deadline_of(sample) {
        return Some(Event::Deadline(deadline));
    }
    Some(match sample {
        "send" => Event::Send,
        "first byte of a request left" => return None,
        "answered" => Event::Answered(next_unanswered(machine)),
        "answered what was not accepted" => Event::Answered(machine.last(Action::Close) + 1),
        "leave" => Event::Leave(Farewell::normal()),
        "fail" => Event::Fail(error()),
        "abort" => Event::Abort,
        "request: the next" => Event::Request(asked + 1),
        "request out of order" => Event::Request(asked + 2),
        "answer: the next" => Event::Answer(answered + 1),
        "answer out of order" => Event::Answer(answered + 2),
        "GOAWAY, right count" => Event::GoAway { last: if machine.role() == Role::Server { asked } else { 0 } },
        "GOAWAY, wrong count" => Event::GoAway { last: asked + 1 },
        "CLOSE, right count" => close(right, Farewell::normal(), Role::Client),
        "CLOSE, right count and the FIN flag" => close(right, Farewell::normal(), Role::Server),
        "CLOSE, wrong count" => close(right + 1, Farewell::normal(), Role::Client),
        "CLOSE, an error" => close(answered, error(), Role::Client),
        "CLOSE, an error and the FIN flag" => close(answered, error(), Role::Server),
        "CLOSE, an error and a count that cannot be" => close(asked + 9, error(), Role::Client),
        "unknown frame" => Event::Other,
        "violation" => Event::Violation(Violation::protocol("this", "that")),
        "FIN" => Event::Fin,
        "reset" => Event::Reset,
        unknown => panic!("no sample is called {unknown}"),
    })
}

/// Server: the lowest request it accepted and has not answered, or the last accepted. (Answers are in order here.)
fn next_unanswered(machine: &Machine) -> u64 {
    let accepted = machine.last(Action::Close);
    (1..=accepted)
        .find(|seq| machine.clone().handle(Event::Answered(*seq)).contains(Action::Deliver))
        .unwrap_or(accepted)
}

/// Whether a server has accepted what it has not answered, or a client may still get an answer it waits for.
fn owes(machine: &Machine) -> bool {
    match (machine.role(), machine.sent()) {
        (Role::Client, Direction::Open | Direction::Leaving) => {
            machine.account().answered.count() < machine.account().begun
        }
        (Role::Client, Direction::Closed | Direction::Failed | Direction::Finished) => false,
        // The answers queued are only visible in the machine's reaction, which a last word hides.
        (Role::Server, _) => {
            machine.clone().handle(Event::Answered(next_unanswered(machine))).contains(Action::Deliver)
        }
    }
}

/// What verdict there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    None,
    Clean,
    Other,
}

/// The part of a state that the table speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct State {
    pub(crate) sent: Direction,
    pub(crate) heard: Direction,
    pub(crate) owes: bool,
    pub(crate) verdict: Verdict,
}

impl State {
    pub(crate) fn of(machine: &Machine) -> Self {
        let verdict = match machine.verdict() {
            None => Verdict::None,
            Some(End::Clean(_)) => Verdict::Clean,
            Some(_) => Verdict::Other,
        };
        Self { sent: machine.sent(), heard: machine.heard(), owes: owes(machine), verdict }
    }
}

/// What an event did.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Effect {
    pub(crate) sent: Direction,
    pub(crate) heard: Direction,
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
        Action::Abort => "abort",
    };
    actions.into_iter().map(name).collect()
}

/// The verdict in words; the numbers of a violation are the samples' own and are left out.
fn verdict_name(end: &End) -> String {
    let text = end.to_string();
    match end {
        End::Violation(_) => {
            text.split(|c: char| c.is_ascii_digit()).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("n")
        }
        End::Clean(_) => "clean".into(),
        End::Unproven | End::Failed { .. } | End::Truncated | End::Reset | End::TimedOut(_) => text,
    }
}

/// Gives `sample` to a copy of `machine`.
pub(crate) fn step(machine: &Machine, sample: &str) -> (Machine, Effect) {
    let mut next = machine.clone();
    let actions = match event(sample, machine) {
        Some(event) => next.handle(event),
        None => {
            next.note_begun(next.account().asked);
            Actions::default()
        }
    };
    let verdict = next.verdict().filter(|_| next.verdict() != machine.verdict()).map(verdict_name);
    let effect = Effect { sent: next.sent(), heard: next.heard(), actions: action_names(actions), verdict };
    (next, effect)
}

/// Every machine that can be reached from the beginning of `setup`, in the order in which they are found.
pub(crate) fn reachable(setup: Setup) -> Vec<Machine> {
    let first = Machine::new(setup.role, setup.policy);
    let mut seen = HashSet::from([first.clone()]);
    let mut found = vec![first];
    let mut at = 0;
    while let Some(machine) = found.get(at).cloned() {
        at += 1;
        for sample in setup.samples() {
            let (next, _) = step(&machine, sample);
            if next.account().asked <= REQUESTS && seen.insert(next.clone()) {
                found.push(next);
            }
        }
    }
    found
}

/// What each sample can do in each state: more than one effect where the counts decide.
pub(crate) type Table = BTreeMap<State, BTreeMap<usize, BTreeSet<Effect>>>;

pub(crate) fn table(setup: Setup) -> Table {
    let mut table = Table::new();
    for machine in reachable(setup) {
        let row = table.entry(State::of(&machine)).or_default();
        for sample in setup.samples() {
            let at = SAMPLES.iter().position(|other| *other == sample).expect("a sample of the list");
            row.entry(at).or_default().insert(step(&machine, sample).1);
        }
    }
    table
}
