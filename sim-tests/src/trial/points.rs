//! Where a fault can be injected: before the first I/O event of a side, and after each.

use super::network::TrialNetwork;
use super::run::{TrialEvent, TrialRun};
use super::scenario::InjectedFault;
use super::simulation::Form;
use echo_core::Role;

/// A number of I/O events of a side.
pub(super) struct Point {
    pub(super) event: usize,
    /// Whether there is a stream that a fault can concern.
    pub(super) has_stream: bool,
    /// Whether the next I/O event is that of a `connect`, and of an `accept`.
    next: [bool; 2],
}

impl Point {
    /// Whether the fault does something here, if there is a stream for it. One of the next `connect` or `accept` does not if
    /// none comes, and one that only cuts the network does not if this network is never cut.
    pub(super) fn fits(&self, fault: InjectedFault, network: TrialNetwork) -> bool {
        let [connects, accepts] = self.next;
        match fault {
            InjectedFault::Nothing => network.is_cut(),
            InjectedFault::FailAccept => accepts,
            fault => connects || !fault.is_of_connect(),
        }
    }
}

/// Returns the points of `side` in a run without a fault.
pub(super) fn of<C, S>(base: &TrialRun<C, S>, side: Role, form: Form) -> Vec<Point> {
    let mut points = vec![Point { event: 0, has_stream: form == Form::Stream, next: [false; 2] }];
    for entry in base.log.iter().filter(|entry| entry.side == side && entry.what.is_event()) {
        let last = points.len() - 1;
        let connects = matches!(entry.what, TrialEvent::Connected | TrialEvent::ConnectFailed(_));
        points[last].next = [connects, entry.what == TrialEvent::Accepted];
        let has_stream = match (form, &entry.what) {
            (_, TrialEvent::Dropped | TrialEvent::ConnectFailed(_)) => false,
            (Form::Stream, _) => points[last].has_stream,
            (Form::Network, _) => entry.connection.is_some(),
        };
        points.push(Point { event: last + 1, has_stream, next: [false; 2] });
    }
    points
}

/// Returns `count` of the points, evenly spread, with the first and the last. `count` is at least two.
pub(super) fn spread(points: Vec<Point>, count: usize) -> Vec<Point> {
    let (last, gaps) = (points.len() - 1, count - 1);
    let chosen: Vec<usize> = (0..count).map(|index| index * last / gaps).collect();
    points.into_iter().filter(|point| chosen.contains(&point.event)).collect()
}
