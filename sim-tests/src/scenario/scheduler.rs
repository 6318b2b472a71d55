//! The step scheduler: which steps of a scenario are due. All backends and the oracle share it.

use super::Scenario;
use super::network::{NetworkFault, Span};
use super::plan::{Action, Point, Step};
use echo_core::Role;

/// Something that can tell which points a conversation has reached.
pub(crate) trait Points {
    /// Returns whether the conversation is at `point`, as seen from `side`.
    fn is_at(&self, point: Point, side: Role) -> bool;
}

/// A command that a backend carries out at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// A side carries out a step of its plan.
    Act(Role, Step),
    /// A side stops reading for good.
    StopReading(Role),
    /// The client makes these requests, all at once.
    Ask {
        /// The first request.
        from: u64,
        /// The last request.
        to: u64,
    },
    /// Cut the network.
    Cut(Span),
}

impl Command {
    /// Returns whether the server's program carries it out, and not its host or the network.
    pub(crate) fn is_for_the_server_program(&self) -> bool {
        match self {
            Self::Act(Role::Server, step) => !matches!(step.action, Action::Crash | Action::Vanish),
            Self::Act(Role::Client, _) | Self::StopReading(_) | Self::Ask { .. } | Self::Cut(_) => false,
        }
    }
}

/// All steps of a scenario that are not yet carried out.
#[derive(Debug)]
pub(crate) struct StepScheduler {
    /// Commands that wait for a point of a side. Those that become due together run in this order.
    waiting: Vec<(Point, Role, Command)>,
    /// Steps that became due when their side was already gone.
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
                    waiting.push((step.point, side, Command::StopReading(side.peer())));
                }
                waiting.push((step.point, side, Command::Act(side, *step)));
            }
        }
        Self { waiting, missed: Vec::new(), asked: 0, talk: scenario.talk.len() as u64 }
    }

    /// Returns the next command that is due. Call it again until it returns `None`.
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

    /// Records a step that became due when its side was already gone.
    pub(crate) fn miss(&mut self, side: Role, step: Step) {
        self.missed.push(named(side, step));
    }

    /// Returns the steps and cuts that were never carried out.
    pub(crate) fn left(&self) -> Vec<String> {
        let part = |(point, _, order): &(Point, Role, Command)| match order {
            Command::Act(side, step) => Some(named(*side, *step)),
            Command::Cut(_) => Some(format!("cut@{}", point.id())),
            Command::Ask { .. } | Command::StopReading(_) => None,
        };
        self.missed.iter().cloned().chain(self.waiting.iter().filter_map(part)).collect()
    }
}

fn named(side: Role, step: Step) -> String {
    format!("{}:{}@{}", side.name(), step.action.id(), step.point.id())
}
