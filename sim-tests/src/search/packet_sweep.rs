//! Packet sweeps: every fault of one packet, and every fault of two, in a core set of close sequences. Each run is
//! checked against the close contract and against RFC 9293.

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

/// The fates of a packet. A late packet and a duplicate arrive more than a round trip late, so others overtake them.
pub const FATES: [PacketFate; 5] =
    [PacketFate::Lose, PacketFate::Twice(20), PacketFate::Late(20), PacketFate::Behind, PacketFate::Corrupt];

/// The results of many runs.
#[derive(Clone, Debug, Default)]
pub struct Sweep {
    /// The number of runs.
    pub runs: u64,
    /// How often each TCP state change happened.
    pub table: EdgeTable,
    /// Failures: the id that replays the run, and what is wrong.
    pub broken: Vec<(String, String)>,
}

/// Returns the core set. On each wire it has each way for one side to end while the other only reacts or does the same,
/// and some that end in the middle of an exchange.
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

/// Returns the plans of the core set.
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
    /// Runs `scenario` and checks it. Returns the record.
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

    /// Checks `record` against the contract and against RFC 9293.
    pub fn judge(&mut self, record: &Record) {
        self.table.add(record);
        let contract = contract::check(record).into_iter().map(|breach| breach.to_string());
        let tcp = check_tcp(record).into_iter().map(|breach| breach.to_string());
        for what in contract.chain(tcp) {
            self.broken.push((record.scenario.to_string(), what));
        }
    }

    /// Adds the results of `other`.
    pub fn merge(&mut self, other: Self) {
        self.runs += other.runs;
        self.table.merge(&other.table);
        self.broken.extend(other.broken);
    }
}

/// Returns the number of segments that left a host.
fn segments(record: &Record) -> u32 {
    let sent = |event: &TcpEvent| matches!(event, TcpEvent::Sent { .. });
    u32::try_from(record.packets.iter().filter(|moment| sent(&moment.event)).count()).unwrap_or(u32::MAX)
}

fn with(scenario: &Scenario, index: u32, fate: PacketFate) -> Scenario {
    let mut scenario = scenario.clone();
    scenario.network.faults.push(NetworkFault::Packet { which: PacketSelector::Nth(index), fate });
    scenario
}

/// Returns `scenario` with each fate of each packet, and the packet's number.
fn singles(scenario: &Scenario) -> Vec<(Scenario, u32)> {
    let count = Backend::Packet.run(scenario).map_or(0, |record| segments(&record));
    let indices = (0..count).flat_map(|index| FATES.map(|fate| (index, fate)));
    indices.map(|(index, fate)| (with(scenario, index, fate), index)).collect()
}

/// Runs each scenario without a fault, and with each fate of each packet. With `pairs`, each of the latter also runs
/// with each fate of each later packet. `tick` is called after each job with its number of runs.
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

/// Runs each sequence on each network of packets ([`catalogue::packets`]), and also checks each against the oracle.
/// `tick` is called after each.
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

/// Runs each scenario with packets lost at random, once for each seed below `seeds`.
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
