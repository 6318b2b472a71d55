//! The oracle: the close contract written a second time, from PROTOCOL.md alone.
//!
//! It says what may come of a scenario, and shares no code with the close machine: an end is a set of facts, a short
//! list of rules that cite their clause, and a list of waits; words are words and not bytes. What kernels, relays
//! and links do with a packet is no part of the contract; that is as it is on the pair.
//!
//! Where TCP allows several things (a RST races the data before it), each gives a member of the expectation.

mod end;
mod event_counts;
mod expectation;
mod message;
mod mutation;
mod rules;
mod run;
mod side;
mod size;
mod wait_conditions;
mod waits;

pub use crate::record::reported::{EndKind, Reported};
pub use expectation::{AllowedEnding, Expectation};
pub use mutation::Mutation;

use crate::scenario::Scenario;
use crate::scenario::network::Rst;
use run::OracleRun;

/// What may come of `scenario`, by the contract as it is.
pub fn expect(scenario: &Scenario) -> Expectation {
    Oracle::default().expect(scenario)
}

/// What may come of `scenario` if its network has packets: what may come of the same on each network of streams that
/// it may be taken for ([`Network::stands_for`](crate::Network::stands_for)). `None` if only the contract's promises
/// bind.
pub fn expect_of_packets(scenario: &Scenario) -> Option<Expectation> {
    let on = |network| expect(&Scenario { network, ..scenario.clone() });
    scenario.network.stands_for().into_iter().map(on).reduce(|mut whole, one| {
        whole.merge(one.allowed);
        whole
    })
}

/// The contract, or one that was bent to see whether anybody notices.
#[derive(Clone, Copy, Debug, Default)]
pub struct Oracle {
    /// What is wrong with it.
    pub mutation: Option<Mutation>,
}

impl Oracle {
    /// What may come of `scenario`.
    pub fn expect(&self, scenario: &Scenario) -> Expectation {
        let mut runs = scenario.runs().into_iter().map(|run| OracleRun::new(&run, self.mutation).play());
        let mut whole = runs.next().unwrap_or_default();
        for run in runs {
            whole.unreached.retain(|part| run.unreached.contains(part));
            whole.is_unchanged &= run.is_unchanged;
            whole.asked_again &= run.asked_again;
            whole.order = whole.order.rotate_left(1) ^ run.order;
            whole.merge(run.allowed);
        }
        whole.is_unchanged &= scenario.network.relay.is_some() || scenario.network.rst != Rst::InOrder;
        whole
    }
}

impl Expectation {
    /// Two ways to the same end are one member, with the clauses of both.
    fn merge(&mut self, members: Vec<AllowedEnding>) {
        for member in members {
            match self.allowed.iter_mut().find(|known| known.reports_as(&member)) {
                Some(known) => known.clauses.extend(member.clauses),
                None => self.allowed.push(member),
            }
        }
    }
}
