//! The step scheduler: what of a scenario is due now. The same for every backend, and for the oracle.

use super::Scenario;
use super::network::{NetworkFault, Span};
use super::plan::{Action, Point, Step};
use echo_core::Role;

/// What knows at which points a conversation is.
pub(crate) trait Points {
    /// Whether the conversation, as far as it concerns `side`, is at `point`.
    fn is_at(&self, point: Point, side: Role) -> bool;
}

/// What a backend is to do at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Let a side carry out a step of its plan.
    Act(Role, Step),
    /// Let a side never read again.
    Deafen(Role),
    /// Let the client make these requests, all at once.
    Ask {
        /// The first.
        from: u64,
        /// The last.
        to: u64,
    },
    /// Cut the network.
    Cut(Span),
}

impl Command {
    /// Whether the server's program does it, and not its host or the network.
    pub(crate) fn is_for_the_server_program(&self) -> bool {
        match self {
            Self::Act(Role::Server, step) => !matches!(step.action, Action::Crash | Action::Vanish),
            Self::Act(Role::Client, _) | Self::Deafen(_) | Self::Ask { .. } | Self::Cut(_) => false,
        }
    }
}

/// Everything a scenario has in store that is not done yet.
#[derive(Debug)]
pub(crate) struct StepScheduler {
    /// What waits for a point of a side, in the order in which things happen that are due together.
    waiting: Vec<(Point, Role, Command)>,
    /// What became due when its side was gone.
    missed: Vec<String>,
    asked: u64,
    talk: u64,
}

impl StepScheduler {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let mut waiting = Vec::new();
        for fault in &scenario.network.faults {
            if let NetworkFault::Cut { point, span } = fault {
                waiting.push((*point, Role::Client, Command::Cut(*span)));
            }
        }
        for side in Role::BOTH {
            for step in &scenario.plan(side).steps {
                if step.point == Point::PeerNotReading {
                    waiting.push((step.point, side, Command::Deafen(side.peer())));
                }
                waiting.push((step.point, side, Command::Act(side, *step)));
            }
        }
        Self { waiting, missed: Vec::new(), asked: 0, talk: scenario.talk.len() as u64 }
    }

    /// The next thing that is due; to be asked again until there is none.
    pub(crate) fn next(&mut self, log: &impl Points) -> Option<Command> {
        if let Some(index) = self.waiting.iter().position(|(point, side, _)| log.is_at(*point, *side)) {
            return Some(self.waiting.remove(index).2);
        }
        let due = self.asked == 0 || (self.asked < self.talk && log.is_at(Point::Idle, Role::Client));
        due.then(|| {
            let from = self.asked + 1;
            self.asked = if from == 1 { 1 } else { self.talk };
            Command::Ask { from, to: self.asked }
        })
    }

    /// A step became due, and there was nobody left to carry it out.
    pub(crate) fn miss(&mut self, side: Role, step: Step) {
        self.missed.push(named(side, step));
    }

    /// What was never carried out.
    pub(crate) fn left(&self) -> Vec<String> {
        let part = |(point, _, order): &(Point, Role, Command)| match order {
            Command::Act(side, step) => Some(named(*side, *step)),
            Command::Cut(_) => Some(format!("cut@{}", point.id())),
            Command::Ask { .. } | Command::Deafen(_) => None,
        };
        self.missed.iter().cloned().chain(self.waiting.iter().filter_map(part)).collect()
    }
}

fn named(side: Role, step: Step) -> String {
    format!("{}:{}@{}", side.name(), step.action.id(), step.point.id())
}
