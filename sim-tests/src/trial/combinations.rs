//! Several faults in one run, drawn by a seed, and reduced to those that matter.

use super::ladder::ladder;
use super::network::TrialNetwork;
use super::points::Point;
use super::report::{Finding, TrialReport, is_alike};
use super::scenario::{InjectedFault, Injection, MOST_FAULTS, TrialScenario};
use super::settings::Trial;
use echo_core::Role;
use std::collections::HashSet;
use std::fmt::Debug;

impl<C: Debug + 'static, S: Debug + 'static> Trial<C, S> {
    /// Makes `runs` runs with two or three faults each, drawn by `seed`: the network, the sides, the I/O events. With the same
    /// seed they are the same runs.
    ///
    /// A failing run is reduced: without each of its faults in turn, as long as the same is found. So a finding of
    /// [`Trial::run`] comes back with one fault, and one with more faults is new.
    pub fn combinations(&self, seed: u64, runs: usize) -> TrialReport {
        let mut report = TrialReport::default();
        let mut orders = HashSet::new();
        let bases: Vec<_> =
            self.all_networks().into_iter().map(|network| (network, self.injections_on(network))).collect();
        let bases: Vec<_> = bases.into_iter().filter(|(_, injections)| !injections.is_empty()).collect();
        if bases.is_empty() {
            return report;
        }
        let mut random = Random(seed);
        for _ in 0..runs {
            let (network, injections) = &bases[random.below(bases.len())];
            let count = 2 + random.below(MOST_FAULTS - 1);
            let drawn: Vec<Injection> = (0..count).map(|_| injections[random.below(injections.len())]).collect();
            let run = self.run_scenario(TrialScenario::with(&drawn, *network));
            self.count(&mut report, &mut orders, &run);
            for finding in self.findings(&run) {
                let (scenario, finding) = self.smallest(run.scenario, finding);
                let run = self.run_with_details(scenario);
                report.add(finding, scenario, run.log.len(), || ladder(&run));
            }
        }
        report.distinct = orders.len();
        report
    }

    /// Every fault that the sweep injects on a network.
    fn injections_on(&self, network: TrialNetwork) -> Vec<Injection> {
        let base = self.run_scenario(TrialScenario::new(None, network.uncut()));
        let of_side = |side| {
            let at = move |point: Point| {
                let fits = |fault: &InjectedFault| {
                    point.fits(*fault, network) && (point.has_stream || !fault.needs_a_stream())
                };
                let faults: Vec<_> = self.faults.iter().copied().filter(fits).collect();
                faults.into_iter().map(move |fault| Injection { side, fault, event: point.event })
            };
            self.points(&base, side).into_iter().flat_map(at).collect::<Vec<_>>()
        };
        Role::BOTH.into_iter().flat_map(of_side).collect()
    }

    /// Leaves out one fault after the other as long as the same is found.
    fn smallest(&self, mut scenario: TrialScenario, mut finding: Finding) -> (TrialScenario, Finding) {
        'smaller: loop {
            let all: Vec<Injection> = scenario.injections().collect();
            for index in 0..all.len() {
                let mut fewer = all.clone();
                fewer.remove(index);
                // A network with a cut needs a fault to be cut at.
                let network = if fewer.is_empty() { scenario.network.uncut() } else { scenario.network };
                let without = TrialScenario::with(&fewer, network);
                let found = self.findings(&self.run_scenario(without));
                if let Some(same) = found.into_iter().find(|found| is_alike(found, &finding)) {
                    (scenario, finding) = (without, same);
                    continue 'smaller;
                }
            }
            return (scenario, finding);
        }
    }
}

/// SplitMix64 (Steele, Lea and Flood, 2014): small, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`, which is not 0.
    fn below(&mut self, limit: usize) -> usize {
        // The remainder is less than `limit`.
        usize::try_from(self.next() % limit as u64).unwrap_or(0)
    }
}
