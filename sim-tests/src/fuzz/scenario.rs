//! Random scenarios, run on the pair and checked against the contract.

use super::input::Input;
use crate::network::relay::Relay;
use crate::scenario::Backend;
use crate::scenario::defaults;
use crate::scenario::network::{HeldContent, Network, NetworkFault, Rst, Sender, Span};
use crate::scenario::overrides::Overrides;
use crate::scenario::plan::{Action, Plan, Point, Step};
use crate::scenario::{Scenario, Wire};
use crate::search::random::judge;
use echo_core::Deadline;

/// The kinds of trouble that an input may have. Each bit of its first byte leaves one out (swarm testing).
#[derive(Clone, Copy)]
struct Allowed(u8);

impl Allowed {
    fn has(self, bit: u8) -> bool {
        self.0 >> bit & 1 == 0
    }
}

/// Checks that every scenario that can be drawn keeps the contract on the pair, and that a second run is the same.
pub(super) fn check(data: &[u8]) {
    let scenario = scenario(&mut Input::new(data));
    if scenario.check().is_err() || takes_long(&scenario) {
        return;
    }
    if let Err(flaw) = judge(&|scenario| Backend::Pair.run(scenario), &scenario) {
        panic!("{flaw}\n{scenario}");
    }
}

/// Whether a run takes seconds: of a slow reader of much data, or of much data in small parts. Each run of a fuzzer must
/// be short, and such a one shows nothing that a shorter one does not.
fn takes_long(scenario: &Scenario) -> bool {
    let Network { reads, writes, takes, .. } = scenario.network;
    let bytes = defaults::all_bytes(scenario);
    let part = [reads, writes].into_iter().filter(|size| *size > 0).min();
    takes > 0 && bytes > 20_000 || part.is_some_and(|size| bytes / size as u64 > 120_000)
}

fn scenario(input: &mut Input<'_>) -> Scenario {
    let allowed = Allowed(input.next());
    let wire = input.pick(&Wire::ALL);
    let (client, server) = (plan(input), plan(input));
    let network = network(input, allowed);
    let mut scenario = Scenario::new(wire, client, server, network);
    if input.flag() {
        let count = 1 + input.below(5);
        scenario.talk = (0..count).map(|_| usize::from(input.next::<u16>()) % 9000).collect();
    }
    if allowed.has(0) {
        scenario.overrides = tuning(input);
    }
    scenario
}

fn plan(input: &mut Input<'_>) -> Plan {
    let count = input.below(4);
    let step = |_| Step { action: input.pick(&Action::ALL), point: input.pick(&Point::ALL) };
    Plan { steps: (0..count).map(step).collect() }
}

fn network(input: &mut Input<'_>, allowed: Allowed) -> Network {
    let mut network = Network::clear(2 + u64::from(input.next::<u8>()) % 30);
    if allowed.has(1) {
        network.reads = usize::from(input.next::<u16>()) % 300;
        network.writes = usize::from(input.next::<u16>()) % 300;
        // A slow reader of small pieces only takes long.
        if input.flag() {
            (network.reads, network.writes, network.takes) = (0, 0, usize::from(input.next::<u16>()) % 500);
        }
    }
    if allowed.has(2) {
        network.batch = u64::from(input.next::<u8>()) % 30;
    }
    if allowed.has(3) && input.flag() {
        network.rst = Rst::Overtakes;
    }
    if allowed.has(4) {
        let span = u64::from(input.next::<u8>());
        network.relay =
            input.pick(&[None, Some(Relay::PassesHalfClose), Some(Relay::ClosesBoth), Some(Relay::CutsOff(span))]);
    }
    for _ in 0..input.below(4) {
        let span = if allowed.has(5) && input.below(4) == 1 {
            Span::Ever
        } else {
            Span::For(u64::from(input.next::<u16>()) % 1500)
        };
        if input.flag() && allowed.has(6) {
            network.faults.push(NetworkFault::Cut { point: input.pick(&Point::ALL), span });
        } else if allowed.has(7) {
            network.faults.push(NetworkFault::Hold {
                from: input.pick(&Sender::ALL),
                content: input.pick(&HeldContent::ALL),
                span,
            });
        }
    }
    network
}

fn tuning(input: &mut Input<'_>) -> Overrides {
    let limit = input.flag().then(|| 1 + usize::from(input.next::<u8>()));
    let count = input.below(4);
    let deadline = |_| (input.pick(&Deadline::ALL), 10 + u64::from(input.next::<u16>()) % 2000);
    let deadlines = (0..count).map(deadline).collect();
    let handler = (input.below(4) == 1).then(|| u64::from(input.next::<u8>()));
    Overrides { limit, handler, deadlines }
}
