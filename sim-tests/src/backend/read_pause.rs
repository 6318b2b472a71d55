//! The read pause: a side does not act on what it has read before the step of its plan is carried out.

use crate::record::event_log::{Unit, is_close, is_fin, is_goaway};
use crate::scenario::plan::{Plan, Point};

/// The points of a plan at which a side must not act on its input before the step is carried out.
#[derive(Clone, Debug)]
pub(crate) struct ReadPause {
    armed: Vec<Point>,
    shut: bool,
}

impl ReadPause {
    pub(crate) fn new(plan: &Plan) -> Self {
        let after = |point: &Point| matches!(point, Point::AfterGoAway | Point::AfterClose | Point::AfterFin);
        Self { armed: plan.points().filter(after).collect(), shut: false }
    }

    /// Whether `units` have to wait for the plan. Must be called before they are handed to the program.
    pub(crate) fn catches(&mut self, units: &[Unit]) -> bool {
        let is_met = |point: &Point| match point {
            Point::AfterGoAway => units.iter().any(is_goaway),
            Point::AfterClose => units.iter().any(is_close),
            Point::AfterFin => units.iter().any(is_fin),
            Point::Connecting | Point::InPreface | Point::Idle | Point::RequestInFlight => false,
            Point::AnswerInFlight | Point::InsideFrame | Point::PeerNotReading | Point::Draining => false,
            Point::CloseInFlight | Point::Finishing => false,
        };
        let met = self.armed.iter().any(is_met);
        self.shut |= met;
        met
    }

    pub(crate) fn is_armed(&self) -> bool {
        !self.armed.is_empty()
    }

    pub(crate) fn is_shut(&self) -> bool {
        self.shut
    }

    /// Ends the pause after the step at `point` was carried out.
    pub(crate) fn release(&mut self, point: Point) {
        self.armed.retain(|armed| *armed != point);
        self.shut = false;
    }
}
