//! The write limit: a side's transport takes only a part of what it says, so that its plan can be carried out in the
//! middle of something.

use crate::scenario::defaults::EPOCH;
use crate::scenario::plan::Point;
use crate::scenario::{Scenario, Wire};
use echo_core::{CloseReason, Role, frame, plain, preface};

/// How much of its output a side's transport takes.
#[derive(Clone, Debug)]
pub(crate) struct WriteLimit {
    /// Where it takes no more, by bytes since the beginning, in order.
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

    /// How many of `count` bytes are taken, and the point at which the side stands if none is.
    pub(crate) fn take(&mut self, count: usize) -> Result<usize, Point> {
        let Some((offset, point)) = self.stops.first().copied() else { return Ok(count) };
        let room = usize::try_from(offset - self.taken).unwrap_or(usize::MAX);
        if room == 0 {
            return Err(point);
        }
        Ok(count.min(room))
    }

    /// So many bytes were taken.
    pub(crate) fn took(&mut self, count: usize) {
        self.taken += count as u64;
    }

    /// The plan was carried out at `point`: the rest is taken, unless the other side does not read.
    pub(crate) fn release(&mut self, point: Point) {
        if point != Point::PeerNotReading {
            self.stops.retain(|(_, stop)| *stop != point);
        }
    }
}

/// Where in its output that begins what `side` says after its first request or answer.
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

/// What a side that violates says: a CLOSE with a count that cannot be.
pub(crate) fn violation() -> Vec<u8> {
    let mut bytes = Vec::new();
    frame::close(&mut bytes, 999, &CloseReason::normal(), false);
    bytes
}
