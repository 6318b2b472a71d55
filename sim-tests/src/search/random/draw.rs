//! Draws a scenario in two steps: first what may happen in it, then what does.
//!
//! If everything may happen in each case, all cases are much alike. So each case may use only a few actions, points,
//! deadlines and kinds of fault (swarm testing).

use crate::network::relay::Relay;
use crate::scenario::network::{HeldContent, Network, NetworkFault, Rst, Sender, Span};
use crate::scenario::overrides::Overrides;
use crate::scenario::plan::{Action, Plan, Point, Step};
use crate::scenario::{Scenario, Wire};
use crate::support::Millis;
use echo_core::Deadline;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

/// The points, the simple ones first, because shrinking goes towards the front.
const POINTS: [Point; 13] = [
    Point::Idle,
    Point::RequestInFlight,
    Point::AnswerInFlight,
    Point::Draining,
    Point::CloseInFlight,
    Point::Finishing,
    Point::AfterGoAway,
    Point::AfterClose,
    Point::AfterFin,
    Point::Connecting,
    Point::InPreface,
    Point::InsideFrame,
    Point::PeerNotReading,
];

/// What may happen in a case.
#[derive(Clone, Debug)]
struct Swarm {
    wire: Wire,
    /// Whether all ends are polite.
    peace: bool,
    actions: Vec<Action>,
    points: Vec<Point>,
    marks: Vec<HeldContent>,
    deadlines: Vec<Deadline>,
    allowed: Allowed,
}

/// The kinds of faults that a case may have.
#[derive(Clone, Copy, Debug)]
struct Allowed {
    chunks: bool,
    slow_readers: bool,
    batches: bool,
    relays: bool,
    overtaking: bool,
    holds: bool,
    cuts: bool,
    /// Faults without end. Without them the network heals, and everything must still end.
    lasting: bool,
    limits: bool,
}

/// Returns a strategy for scenarios of all kinds.
pub fn scenario() -> BoxedStrategy<Scenario> {
    swarm(prop::bool::weighted(0.1)).prop_ind_flat_map(within).boxed()
}

/// Returns a strategy for scenarios with polite sides, on networks that are at worst slow.
pub fn peace() -> BoxedStrategy<Scenario> {
    swarm(Just(true)).prop_ind_flat_map(within).boxed()
}

fn swarm(peace: impl Strategy<Value = bool>) -> impl Strategy<Value = Swarm> {
    let few = |most: usize| 1..=most;
    let allowed = prop::array::uniform9(any::<bool>()).prop_map(
        |[chunks, slow_readers, batches, relays, overtaking, holds, cuts, lasting, limits]| Allowed {
            chunks,
            slow_readers,
            batches,
            relays,
            overtaking,
            holds,
            cuts,
            lasting,
            limits,
        },
    );
    let what = (
        select(&Wire::ALL[..]),
        peace,
        subsequence(&Action::ALL[..], few(4)),
        subsequence(&POINTS[..], few(6)),
        subsequence(&HeldContent::ALL[..], few(3)),
        subsequence(&Deadline::ALL[..], 0..=3),
        allowed,
    );
    what.prop_map(|(wire, peace, actions, points, marks, deadlines, allowed)| Swarm {
        wire,
        peace,
        actions,
        points,
        marks,
        deadlines,
        allowed,
    })
}

/// Returns a strategy for scenarios within what the swarm allows.
fn within(swarm: Swarm) -> impl Strategy<Value = Scenario> {
    let talk = prop::collection::vec(prop_oneof![4 => 0..64_usize, 1 => 64..9000_usize], 1..6);
    let parts = (plan(&swarm), plan(&swarm), network(&swarm), talk, tuning(&swarm));
    let wire = swarm.wire;
    parts.prop_map(move |(client, server, network, talk, tuning)| Scenario {
        wire,
        client,
        server,
        network,
        talk,
        overrides: tuning,
    })
}

/// Draws a plan of at most three steps.
fn plan(swarm: &Swarm) -> BoxedStrategy<Plan> {
    let actions = if swarm.peace { &[Action::Close][..] } else { &swarm.actions };
    let step = |point: &Point| actions.iter().map(|action| Step { action: *action, point: *point }).collect::<Vec<_>>();
    let makes_sense = |step: &Step| {
        let lasts = !swarm.peace || !stalls(step.point);
        lasts && alone(swarm.wire, Network::clear(4), Plan { steps: vec![*step] }).check().is_ok()
    };
    let steps: Vec<Step> = swarm.points.iter().flat_map(step).filter(makes_sense).collect();
    if steps.is_empty() {
        return Just(Plan::none()).boxed();
    }
    let possible = |steps| {
        let mut plan = Plan { steps };
        if plan.breaks_bytes() {
            plan.steps.retain(|step| step.action != Action::Violate);
        }
        plan
    };
    prop::collection::vec(select(steps), 0..=3).prop_map(possible).boxed()
}

/// Returns whether a side cannot send at this point, or has sent nothing.
fn stalls(point: Point) -> bool {
    match point {
        Point::Connecting | Point::InPreface | Point::InsideFrame | Point::PeerNotReading => true,
        Point::Idle | Point::RequestInFlight | Point::AnswerInFlight | Point::Draining | Point::AfterGoAway => false,
        Point::CloseInFlight | Point::AfterClose | Point::Finishing | Point::AfterFin => false,
    }
}

fn alone(wire: Wire, network: Network, client: Plan) -> Scenario {
    Scenario::new(wire, client, Plan::none(), network)
}

fn network(swarm: &Swarm) -> BoxedStrategy<Network> {
    let Allowed { chunks, slow_readers, batches, relays, overtaking, .. } = swarm.allowed;
    let has_faults = !swarm.peace;
    let size = move || {
        let some = prop_oneof![2 => Just(0_usize), 1 => 1..40_usize, 1 => 40..4000_usize];
        if chunks { some.boxed() } else { Just(0).boxed() }
    };
    let batch = if batches { prop_oneof![1 => Just(0), 1 => 1..30_u64].boxed() } else { Just(0).boxed() };
    let rst = if has_faults && overtaking { vec![Rst::InOrder, Rst::Overtakes] } else { vec![Rst::InOrder] };
    let relay = if has_faults && relays { relay().boxed() } else { Just(None).boxed() };
    let faults = if has_faults { faults(swarm) } else { Just(Vec::new()).boxed() };
    let takes = if has_faults && slow_readers { prop_oneof![Just(0), 1..500_usize].boxed() } else { Just(0).boxed() };
    (2..30_u64, size(), size(), takes, batch, select(rst), relay, faults)
        .prop_map(|(latency, reads, writes, takes, batch, rst, relay, faults)| Network {
            reads,
            writes,
            takes,
            batch,
            rst,
            relay,
            faults,
            ..Network::clear(latency)
        })
        .boxed()
}

fn relay() -> impl Strategy<Value = Option<Relay>> {
    prop_oneof![
        Just(None),
        Just(Some(Relay::PassesHalfClose)),
        Just(Some(Relay::ClosesBoth)),
        (0..200_u64).prop_map(|span| Some(Relay::CutsOff(span))),
    ]
}

/// Draws at most three faults.
fn faults(swarm: &Swarm) -> BoxedStrategy<Vec<NetworkFault>> {
    let holds = |from: Sender| {
        swarm.marks.iter().map(move |mark| NetworkFault::Hold { from, content: *mark, span: Span::Ever })
    };
    let cuts = swarm.points.iter().map(|point| NetworkFault::Cut { point: *point, span: Span::Ever });
    let holds = Sender::ALL.into_iter().flat_map(holds).filter(|_| swarm.allowed.holds);
    let all = holds.chain(cuts.filter(|_| swarm.allowed.cuts));
    let makes_sense = |fault: &NetworkFault| {
        let network = Network { faults: vec![*fault], ..Network::clear(4) };
        alone(swarm.wire, network, Plan::none()).check().is_ok()
    };
    let all: Vec<NetworkFault> = all.filter(makes_sense).collect();
    if all.is_empty() {
        return Just(Vec::new()).boxed();
    }
    let passing = (0..1500_u64).prop_map(Span::For);
    let span =
        if swarm.allowed.lasting { prop_oneof![1 => passing, 1 => Just(Span::Ever)].boxed() } else { passing.boxed() };
    let fault = (select(all), span).prop_map(|(fault, span)| fault.lasting(span));
    prop::collection::vec(fault, 0..=3).boxed()
}

fn tuning(swarm: &Swarm) -> BoxedStrategy<Overrides> {
    if swarm.peace {
        return Just(Overrides::default()).boxed();
    }
    let limit = if swarm.allowed.limits { prop::option::of(1..200_usize).boxed() } else { Just(None).boxed() };
    let length = prop_oneof![3 => 10..400 as Millis, 1 => 400..2000 as Millis];
    let deadlines = if swarm.deadlines.is_empty() {
        Just(Vec::new()).boxed()
    } else {
        prop::collection::vec((select(swarm.deadlines.clone()), length), 0..=3).boxed()
    };
    let handler = prop::option::weighted(0.25, prop_oneof![3 => 0..100 as Millis, 1 => 100..1000 as Millis]);
    (limit, deadlines, handler)
        .prop_map(|(limit, deadlines, handler)| Overrides {
            limit,
            handler,
            deadlines: deadlines.into_iter().collect(),
        })
        .boxed()
}
