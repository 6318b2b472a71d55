//! The director: reads the board, and says what is to be done now. The same for every backend.

use crate::board::Board;
use crate::network::{Fault, Span};
use crate::plan::{Action, Plan, Point};
use crate::scenario::Scenario;
use echo_core::Role;

/// What a backend is to do at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Let a side carry out its plan.
    Act(Role, Action),
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

/// Everything a scenario has in store that is not done yet.
#[derive(Debug)]
pub(crate) struct Director {
    /// What waits for a point, in the order in which things happen that are due together.
    waiting: Vec<(Point, Order)>,
    asked: u64,
    talk: u64,
}

impl Director {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let mut waiting = Vec::new();
        for fault in &scenario.network.faults {
            if let Fault::Cut { point, span } = fault {
                waiting.push((*point, Order::Cut(*span)));
            }
        }
        for side in [Role::Client, Role::Server] {
            if let Plan::Do(action, point) = scenario.plan(side) {
                waiting.push((point, Order::Act(side, action)));
            }
        }
        Self { waiting, asked: 0, talk: scenario.talk.len() as u64 }
    }

    /// The next thing that is due; to be asked again until there is none.
    pub(crate) fn next(&mut self, board: &Board) -> Option<Order> {
        if let Some(index) = self.waiting.iter().position(|(point, _)| board.is_at(*point)) {
            return Some(self.waiting.remove(index).1);
        }
        let due = self.asked == 0 || (self.asked < self.talk && board.is_at(Point::Idle));
        due.then(|| {
            let from = self.asked + 1;
            self.asked = if from == 1 { 1 } else { self.talk };
            Order::Ask { from, to: self.asked }
        })
    }

    /// What never became due.
    pub(crate) fn left(&self) -> Vec<String> {
        let name = |(point, order): &(Point, Order)| match order {
            Order::Act(Role::Client, action) => format!("client:{}@{}", action.id(), point.id()),
            Order::Act(Role::Server, action) => format!("server:{}@{}", action.id(), point.id()),
            Order::Ask { from, to } => format!("requests {from} to {to}"),
            Order::Cut(_) => format!("cut@{}", point.id()),
        };
        self.waiting.iter().map(name).collect()
    }
}
