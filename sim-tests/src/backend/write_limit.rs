//! The write limit: a side's transport accepts only a part of its output, so that a step of the plan can be carried out
//! in the middle of a message.

use crate::scenario::defaults::EPOCH;
use crate::scenario::plan::Point;
use crate::scenario::{Scenario, Wire};
use echo_core::{CloseReason, Role, frame, plain, preface};

/// The part of a side's output that its transport accepts.
#[derive(Clone, Debug)]
pub(crate) struct WriteLimit {
    /// Offsets at which the transport accepts no more, in bytes since the beginning, in order.
    stops: Vec<(u64, Point)>,
    taken: u64,
}

impl WriteLimit {
    pub(crate) fn new(scenario: &Scenario, side: Role) -> Self {
        let second = second_message(scenario, side);
        let stop = |point| match point {
            Point::InPreface => Some((preface::LENGTH as u64 / 2, point)),
            Point::InsideFrame => Some((second + 10, point)),
            Point::PeerNotReading => Some((second, point)),
            Point::Connecting | Point::Idle | Point::RequestInFlight | Point::AnswerInFlight | Point::Draining => None,
            Point::AfterGoAway | Point::CloseInFlight | Point::AfterClose => None,
            Point::Finishing | Point::AfterFin => None,
        };
        let mut stops: Vec<_> = scenario.plan(side).points().filter_map(stop).collect();
        stops.sort_by_key(|(offset, _)| *offset);
        stops.dedup();
        Self { stops, taken: 0 }
    }

    /// Returns how many of `count` bytes are accepted; if none is, the point at which the side waits.
    pub(crate) fn take(&mut self, count: usize) -> Result<usize, Point> {
        let Some((offset, point)) = self.stops.first().copied() else { return Ok(count) };
        let room = usize::try_from(offset - self.taken).unwrap_or(usize::MAX);
        if room == 0 {
            return Err(point);
        }
        Ok(count.min(room))
    }

    /// Counts bytes that were accepted.
    pub(crate) fn took(&mut self, count: usize) {
        self.taken += count as u64;
    }

    /// Removes the limit of `point` after its step was carried out, unless it is that the peer does not read.
    pub(crate) fn release(&mut self, point: Point) {
        if point != Point::PeerNotReading {
            self.stops.retain(|(_, stop)| *stop != point);
        }
    }
}

/// The offset in the output of `side` that follows its first request or answer.
fn second_message(scenario: &Scenario, side: Role) -> u64 {
    let payload = scenario.payload(1).unwrap_or_default();
    let mut first = Vec::new();
    match (scenario.wire, side) {
        (Wire::Plain, Role::Client) => (),
        (Wire::Plain, Role::Server) => first.extend_from_slice(plain::ctime_header(EPOCH, 0).as_bytes()),
        (Wire::Framed | Wire::FramedServerFin, _) => {
            first.extend_from_slice(&preface::preface(side, preface::VERSION));
            match side {
                Role::Client => frame::echo_header(&mut first, 1, EPOCH, payload.len()),
                Role::Server => frame::reply_header(&mut first, 1, [EPOCH; 3], payload.len()),
            }
        }
    }
    (first.len() + payload.len()) as u64
}

/// The bytes of an [`Action::Violate`](crate::scenario::plan::Action::Violate): a CLOSE with an impossible count.
pub(crate) fn violation() -> Vec<u8> {
    let mut bytes = Vec::new();
    frame::close(&mut bytes, 999, &CloseReason::normal(), false);
    bytes
}
