//! Every fault of one packet, and every fault of two, in the close sequences of a core set: each run is held against
//! the close contract and against RFC 9293.

use super::edge_table::EdgeTable;
use crate::catalogue::{self, Problem as Unjust};
use crate::check::contract;
use crate::check::tcp_rules::check_tcp;
use crate::record::Record;
use crate::scenario::Backend;
use crate::scenario::network::{NetworkFault, PacketSelector};
use crate::scenario::plan::{Action, Plan, Point};
use crate::scenario::{Scenario, Wire};
use crate::support::parallel;
use crate::tcp::{PacketFate, TcpEvent};

/// What may happen to a packet. Late and twice by more than a round trip, so that others pass.
pub const FATES: [PacketFate; 5] =
    [PacketFate::Lose, PacketFate::Twice(20), PacketFate::Late(20), PacketFate::Behind, PacketFate::Corrupt];

/// What came of many runs.
#[derive(Clone, Debug, Default)]
pub struct Sweep {
    /// How many.
    pub runs: u64,
    /// How often each change of a TCP state was taken.
    pub table: EdgeTable,
    /// What is broken, each with the id that replays it.
    pub broken: Vec<(String, String)>,
}

/// The core set: on every wire, each way for one side to end while the other only reacts or does the same, and some
/// more that end in the middle of something.
pub fn core() -> Vec<Scenario> {
    let mut all = Vec::new();
    for wire in Wire::ALL {
        for (client, server) in plans() {
            let scenario = Scenario::new(wire, client, server, crate::Network::clear(4));
            all.push(scenario);
        }
    }
    all
}

/// The plans of the core set.
fn plans() -> Vec<(Plan, Plan)> {
    let none = Plan::none;
    let idle = |action| Plan::one(action, Point::Idle);
    let mut plans = Vec::new();
    for action in [Action::Close, Action::HalfClose, Action::Abort] {
        plans.push((idle(action), none()));
        plans.push((none(), idle(action)));
        plans.push((idle(action), idle(action)));
    }
    plans.push((Plan::one(Action::Close, Point::RequestInFlight), none()));
    plans.push((none(), Plan::one(Action::Close, Point::AnswerInFlight)));
    plans.push((Plan::one(Action::Drop, Point::AnswerInFlight), none()));
    plans.push((none(), Plan::one(Action::Crash, Point::RequestInFlight)));
    plans
}

impl Sweep {
    /// Runs `scenario` and judges it; gives the record.
    fn run(&mut self, scenario: &Scenario) -> Option<Record> {
        self.runs += 1;
        match Backend::Packet.run(scenario) {
            Ok(record) => {
                self.judge(&record);
                Some(record)
            }
            Err(error) => {
                self.broken.push((scenario.to_string(), error.text().to_owned()));
                None
            }
        }
    }

    /// Holds `record` against the contract and against RFC 9293.
    pub fn judge(&mut self, record: &Record) {
        self.table.add(record);
        let contract = contract::check(record).into_iter().map(|breach| breach.to_string());
        let tcp = check_tcp(record).into_iter().map(|breach| breach.to_string());
        for what in contract.chain(tcp) {
            self.broken.push((record.scenario.to_string(), what));
        }
    }

    /// Adds what came of others.
    pub fn merge(&mut self, other: Self) {
        self.runs += other.runs;
        self.table.merge(&other.table);
        self.broken.extend(other.broken);
    }
}

/// How many segments left a host.
fn segments(record: &Record) -> u32 {
    let sent = |event: &TcpEvent| matches!(event, TcpEvent::Sent { .. });
    u32::try_from(record.packets.iter().filter(|moment| sent(&moment.event)).count()).unwrap_or(u32::MAX)
}

fn with(scenario: &Scenario, index: u32, fate: PacketFate) -> Scenario {
    let mut scenario = scenario.clone();
    scenario.network.faults.push(NetworkFault::Packet { which: PacketSelector::Nth(index), fate });
    scenario
}

/// Every packet of `scenario` with every fate.
fn singles(scenario: &Scenario) -> Vec<(Scenario, u32)> {
    let count = Backend::Packet.run(scenario).map_or(0, |record| segments(&record));
    let indices = (0..count).flat_map(|index| FATES.map(|fate| (index, fate)));
    indices.map(|(index, fate)| (with(scenario, index, fate), index)).collect()
}

/// Runs each scenario without a fault; with each fate of each packet; and with `pairs`, for each of these, with each
/// fate of each later packet. `tick` is called after each.
pub fn sweep(scenarios: &[Scenario], pairs: bool, tick: &(impl Fn(u64) + Sync)) -> Sweep {
    let mut whole = Sweep::default();
    for scenario in scenarios {
        whole.run(scenario);
    }
    let singles: Vec<_> = scenarios.iter().flat_map(singles).collect();
    let one = |job: usize| {
        let (scenario, index) = &singles[job];
        let mut part = Sweep::default();
        let count = part.run(scenario).map_or(0, |record| segments(&record));
        for later in (*index + 1..count).filter(|_| pairs) {
            for fate in FATES {
                part.run(&with(scenario, later, fate));
            }
        }
        tick(part.runs);
        part
    };
    for part in parallel::parallel_map(singles.len(), one) {
        whole.merge(part);
    }
    whole
}

/// Runs every sequence on every network that only packets show ([`catalogue::packets`]), and holds each against what
/// the oracle expects, too. `tick` is called after each.
pub fn networks(tick: &(impl Fn(u64) + Sync)) -> Sweep {
    let all = catalogue::packets();
    let one = |index: usize| {
        let mut part = Sweep::default();
        if let Some(record) = part.run(&all[index].scenario) {
            for fault in catalogue::check_run(&record) {
                if let Unjust::Unexpected { .. } = fault {
                    part.broken.push((all[index].id.clone(), fault.to_string()));
                }
            }
        }
        tick(1);
        part
    };
    let mut whole = Sweep::default();
    for part in parallel::parallel_map(all.len(), one) {
        whole.merge(part);
    }
    whole
}

/// Runs each scenario with packets lost at random, for each seed below `seeds`.
pub fn losses(scenarios: &[Scenario], percent: u8, seeds: u64) -> Sweep {
    let jobs: Vec<_> = (0..seeds).flat_map(|seed| scenarios.iter().map(move |scenario| (scenario, seed))).collect();
    let one = |job: usize| {
        let (scenario, seed) = jobs[job];
        let mut scenario = scenario.clone();
        scenario.network.faults.push(NetworkFault::Loss { percent, seed });
        let mut part = Sweep::default();
        part.run(&scenario);
        part
    };
    let mut whole = Sweep::default();
    for part in parallel::parallel_map(jobs.len(), one) {
        whole.merge(part);
    }
    whole
}
