//! Sequences beyond the product: a second step while the first is in progress, messages that arrive at a deadline, slow
//! readers, and services whose handlers take their time.

use super::product;
use crate::scenario::network::{HeldContent, Network, NetworkFault, Sender, Span};
use crate::scenario::plan::{Action, Plan, Point, Step};
use crate::scenario::{Scenario, Wire};
use crate::support::Millis;

/// The second action of a side that has already asked to close.
const SECOND: [Action; 6] =
    [Action::HalfClose, Action::Drop, Action::DropUnread, Action::Abort, Action::Vanish, Action::Violate];

/// The points of the second action.
const WHILE_CLOSING: [Point; 6] =
    [Point::Draining, Point::AfterGoAway, Point::CloseInFlight, Point::AfterClose, Point::Finishing, Point::AfterFin];

/// Holds that let a message arrive one millisecond before a deadline of the peer, at it, and one after: the server's
/// CLOSE (drain), the client's CLOSE (close), the server's FIN (linger).
const AT_A_DEADLINE: [(Sender, HeldContent, Millis); 3] = [
    (Sender::Server, HeldContent::Close, 196),
    (Sender::Client, HeldContent::Close, 116),
    (Sender::Server, HeldContent::Fin, 76),
];

/// Networks with slow readers. Requests have `LONG` bytes, so that the answers wait in a send buffer.
const SLOW: [&str; 3] = ["slow-reader", "slower-reader", "stalled-reader"];
const LONG: usize = 400;

/// Returns scenarios in which either side asks to close, at each point that does not stop its own transport.
fn slow_readers() -> impl Iterator<Item = Scenario> {
    let networks = SLOW.into_iter().filter_map(Network::named);
    let points = || Point::ALL.into_iter().filter(|point| !point.is_of_one_side());
    networks.flat_map(move |network| {
        Wire::ALL.into_iter().flat_map(move |wire| {
            let network = network.clone();
            points().flat_map(move |point| {
                let closes = || Plan::one(Action::Close, point);
                [(closes(), Plan::none()), (Plan::none(), closes())].map(|(client, server)| {
                    let talk = vec![LONG, LONG];
                    Scenario { talk, ..Scenario::new(wire, client, server, network.clone()) }
                })
            })
        })
    })
}

/// How long a handler takes: less than each deadline of the ending, and more than the server waits in a drain.
const HANDLERS: [Millis; 2] = [30, 300];

/// Returns scenarios in which one side does anything at any point, or both close, while the server may owe answers.
fn services() -> impl Iterator<Item = Scenario> {
    let closes = || Point::ALL.map(|point| Plan::one(Action::Close, point));
    let alone = product::plans().into_iter().flat_map(|plan| [(plan.clone(), Plan::none()), (Plan::none(), plan)]);
    let both = closes().into_iter().flat_map(|client| closes().map(|server| (client.clone(), server)));
    let plans: Vec<_> = alone.skip(1).chain(both).collect();
    Wire::ALL
        .into_iter()
        .flat_map(move |wire| {
            let plans = plans.clone();
            plans.into_iter().flat_map(move |(client, server)| {
                HANDLERS.map(|handler| {
                    let mut scenario = Scenario::new(wire, client.clone(), server.clone(), Network::clear(4));
                    scenario.overrides.handler = Some(handler);
                    scenario
                })
            })
        })
        .filter(|scenario| scenario.check().is_ok())
}

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
    all.extend(slow_readers());
    all.extend(services());
    let closes = Plan::one(Action::Close, Point::Idle);
    for (from, mark, millis) in AT_A_DEADLINE {
        for millis in millis - 1..=millis + 1 {
            let fault = NetworkFault::Hold { from, content: mark, span: Span::For(millis) };
            let network = Network { faults: vec![fault], ..Network::clear(4) };
            all.push(Scenario::new(Wire::Framed, closes.clone(), Plan::none(), network));
        }
    }
    all
}
