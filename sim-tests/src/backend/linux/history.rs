//! The history of each connection's TCP states, sampled while the runs go on.

use crate::linux::{SocketPair, SocketTable};
use crate::tcp::{Cause, TcpEvent, TcpState, TimedEvent};
use echo_core::Role;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// The pause between two samples. A state that lasts less can be missed.
const PAUSE: Duration = Duration::from_millis(2);

/// The states of all watched connections.
#[derive(Clone, Debug, Default)]
pub(super) struct History(Rc<RefCell<BTreeMap<SocketPair, Samples>>>);

/// The states of a connection's sockets, each with the time at which they were first seen.
type Samples = Vec<(Instant, [TcpState; 2])>;

impl History {
    /// Samples for ever.
    pub(super) async fn sample(self) {
        loop {
            // The table is read only while a connection is watched.
            let is_watching = !self.0.borrow().is_empty();
            if let Some(table) = is_watching.then(SocketTable::now).and_then(Result::ok) {
                let now = Instant::now();
                for (pair, states) in self.0.borrow_mut().iter_mut() {
                    let current = table.states(*pair);
                    if states.last().is_none_or(|(_, last)| *last != current) {
                        states.push((now, current));
                    }
                }
            }
            sleep(PAUSE).await;
        }
    }

    pub(super) fn watch(&self, pair: SocketPair) {
        self.0.borrow_mut().insert(pair, Vec::new());
    }

    /// Waits until both sockets are closed or in TIME-WAIT, for at most `limit`. Returns the changes since `begun`.
    pub(super) async fn settle(&self, pair: SocketPair, begun: Instant, limit: Duration) -> Vec<TimedEvent> {
        let settled =
            |states: &[TcpState; 2]| states.iter().all(|state| matches!(state, TcpState::Closed | TcpState::TimeWait));
        let end = Instant::now() + limit;
        while Instant::now() < end {
            let done =
                self.0.borrow().get(&pair).and_then(|states| states.last()).is_some_and(|(_, last)| settled(last));
            if done {
                break;
            }
            sleep(PAUSE).await;
        }
        let states = self.0.borrow_mut().remove(&pair).unwrap_or_default();
        changes(&states, begun)
    }
}

fn changes(states: &[(Instant, [TcpState; 2])], begun: Instant) -> Vec<TimedEvent> {
    let mut events = Vec::new();
    let mut last = [TcpState::Established; 2];
    for (when, current) in states {
        let at = u64::try_from((when.saturating_duration_since(begun) / super::SLOWER).as_millis()).unwrap_or(u64::MAX);
        for side in Role::BOTH {
            let (from, to) = (last[side as usize], current[side as usize]);
            if from != to {
                let event = TcpEvent::Changed { side, socket: 0, from, to, cause: Cause::Program };
                events.push(TimedEvent { at, event });
            }
        }
        last = *current;
    }
    events
}
