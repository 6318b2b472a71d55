//! The sequences that only networks of packets can show: each sequence of the clear network on each network of
//! [`Network::PACKETS`]. They are a separate list beside the product.

use super::all;
use crate::scenario::network::{Network, NetworkFault, PacketContent, PacketSelector};
use crate::scenario::plan::{Action, Plan};
use crate::scenario::{Scenario, Wire};
use std::sync::OnceLock;

/// A close sequence on a network of packets. [`check_run`](super::check_run) checks its runs.
#[derive(Clone, Debug)]
pub struct PacketSequence {
    /// Its stable id.
    pub id: String,
    /// What both sides and the network do.
    pub scenario: Scenario,
}

/// A rule that removes combinations from the list.
#[derive(Debug)]
pub struct PacketExclusion {
    /// Its name.
    pub name: &'static str,
    /// Why the removed combinations are no sequences of their own.
    pub reason: &'static str,
    applies: fn(&Scenario) -> bool,
}

/// All rules. The first that applies counts.
pub static PACKET_EXCLUSIONS: [PacketExclusion; 3] = [
    PacketExclusion {
        name: "no such frame",
        reason: "the plain wire has no GOAWAY or CLOSE, so no packet that carries one can be lost",
        applies: has_no_such_frame,
    },
    PacketExclusion {
        name: "no host is down",
        reason: "only a host that lost its power can reboot",
        applies: no_host_is_down,
    },
    PacketExclusion {
        name: "no RST",
        reason: "a RST can be lost only if a plan can send one: abort, drop, drop-unread or crash",
        applies: has_no_reset,
    },
];

impl PacketExclusion {
    /// Returns whether it removes `scenario`.
    pub fn applies(&self, scenario: &Scenario) -> bool {
        (self.applies)(scenario)
    }
}

/// Returns all sequences on networks of packets, in an order that never changes.
pub fn packets() -> &'static [PacketSequence] {
    static ALL: OnceLock<Vec<PacketSequence>> = OnceLock::new();
    ALL.get_or_init(|| {
        let scenarios = combinations();
        let kept = scenarios.filter(|scenario| !PACKET_EXCLUSIONS.iter().any(|rule| rule.applies(scenario)));
        kept.map(|scenario| PacketSequence { id: scenario.to_string(), scenario }).collect()
    })
}

/// Returns all combinations of a sequence of the clear network and a network of packets, before exclusions.
fn combinations() -> impl Iterator<Item = Scenario> {
    let clear = Network::clear(4);
    let networks: Vec<_> = Network::PACKETS.iter().filter_map(|(name, _)| Network::named(name)).collect();
    let calm = all().iter().map(|sequence| &sequence.scenario).filter(move |scenario| scenario.network == clear);
    calm.flat_map(move |scenario| {
        let on = |network: &Network| Scenario { network: network.clone(), ..scenario.clone() };
        networks.iter().map(on).collect::<Vec<_>>()
    })
}

fn does(scenario: &Scenario, is_meant: fn(Action) -> bool) -> bool {
    let does = |plan: &Plan| plan.steps.iter().any(|step| is_meant(step.action));
    does(&scenario.client) || does(&scenario.server)
}

fn has_no_such_frame(scenario: &Scenario) -> bool {
    scenario.wire == Wire::Plain && scenario.network.faults.iter().any(NetworkFault::needs_words)
}

fn no_host_is_down(scenario: &Scenario) -> bool {
    scenario.network.reboot.is_some() && !does(scenario, |action| action == Action::Vanish)
}

fn has_no_reset(scenario: &Scenario) -> bool {
    let is_of_reset = |fault: &NetworkFault| match fault {
        NetworkFault::Packet { which: PacketSelector::First { carries, .. }, .. } => *carries == PacketContent::Rst,
        NetworkFault::Packet { which: PacketSelector::Nth(_), .. }
        | NetworkFault::Loss { .. }
        | NetworkFault::Hold { .. }
        | NetworkFault::Cut { .. } => false,
    };
    let can_reset = |action| match action {
        Action::Abort | Action::Drop | Action::DropUnread | Action::Crash => true,
        Action::Close | Action::HalfClose | Action::Vanish | Action::Violate => false,
    };
    scenario.network.faults.iter().any(is_of_reset) && !does(scenario, can_reset)
}
