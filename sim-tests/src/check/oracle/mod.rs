//! The oracle: a second implementation of the close contract, from PROTOCOL.md alone.
//!
//! It computes the allowed endings of a scenario, and shares no code with the close machine. An end consists of facts,
//! a short list of rules that cite their clause, and a list of waits. Messages have no bytes. The contract does not
//! define what kernels, relays and links do with a packet, so this is modelled as on the pair.
//!
//! Where TCP allows several things (a RST races the data before it), each adds an allowed ending.

mod calls;
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

/// Returns what the contract allows for `scenario`.
pub fn expect(scenario: &Scenario) -> Expectation {
    Oracle::default().expect(scenario)
}

/// Returns what the contract allows for `scenario` on a network of packets: all that it allows on the stream-level
/// equivalents ([`Network::stream_equivalents`](crate::Network::stream_equivalents)). `None` if there are none, so that only the
/// contract's rules apply.
pub fn expect_of_packets(scenario: &Scenario) -> Option<Expectation> {
    let on = |network| expect(&Scenario { network, ..scenario.clone() });
    scenario.network.stream_equivalents().into_iter().map(on).reduce(|mut whole, one| {
        whole.merge(one.allowed);
        whole
    })
}

/// The contract, optionally with a mistake, to test whether the checks notice it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Oracle {
    /// The mistake.
    pub mutation: Option<Mutation>,
}

impl Oracle {
    /// Returns the expectation for `scenario`.
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
    /// Adds allowed endings. Those with the same reports become one, with the clauses of both.
    fn merge(&mut self, members: Vec<AllowedEnding>) {
        for member in members {
            match self.allowed.iter_mut().find(|known| known.reports_as(&member)) {
                Some(known) => known.clauses.extend(member.clauses),
                None => self.allowed.push(member),
            }
        }
    }
}
