//! Beyond the product: a second step while the first is under way, and words that come at the moment of a deadline.

use crate::network::{Fault, Mark, Network, Span, Whose};
use crate::plan::{Action, Millis, Plan, Point, Step};
use crate::scenario::{Scenario, Wire};

/// What somebody does who has already asked to close.
const SECOND: [Action; 6] =
    [Action::HalfClose, Action::Drop, Action::DropUnread, Action::Abort, Action::Vanish, Action::Violate];

/// When.
const WHILE_CLOSING: [Point; 6] = [
    Point::Draining,
    Point::AfterGoAway,
    Point::LastWordInFlight,
    Point::AfterLastWord,
    Point::Finishing,
    Point::AfterFin,
];

/// Whose word is held so long that it comes one millisecond before a deadline of the other side, at it, and one
/// after: the server's last word (drain), the client's (close), the server's FIN (linger).
const AT_A_DEADLINE: [(Whose, Mark, Millis); 3] =
    [(Whose::Server, Mark::LastWord, 196), (Whose::Client, Mark::LastWord, 116), (Whose::Server, Mark::Fin, 76)];

pub(super) fn scenarios() -> Vec<Scenario> {
    let mut all = Vec::new();
    for wire in [Wire::Framed, Wire::FramedServerFin] {
        for first in [Point::Idle, Point::RequestInFlight] {
            for action in SECOND {
                for point in WHILE_CLOSING {
                    let steps = vec![Step { action: Action::Close, point: first }, Step { action, point }];
                    let clear = || Network::clear(4);
                    all.push(Scenario::new(wire, Plan { steps: steps.clone() }, Plan::none(), clear()));
                    all.push(Scenario::new(wire, Plan::none(), Plan { steps }, clear()));
                }
            }
        }
    }
    let closes = Plan::one(Action::Close, Point::Idle);
    for (from, mark, millis) in AT_A_DEADLINE {
        for millis in millis - 1..=millis + 1 {
            let fault = Fault::Hold { from, mark, span: Span::For(millis) };
            let network = Network { faults: vec![fault], ..Network::clear(4) };
            all.push(Scenario::new(Wire::Framed, closes.clone(), Plan::none(), network));
        }
    }
    all
}
