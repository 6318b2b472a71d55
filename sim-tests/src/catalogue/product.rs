//! The product: every wire with every pair of plans on every network, and where each combination went.

use super::exclusion::{EXCLUSIONS, Exclusion};
use super::extra;
use super::sequence::Sequence;
use crate::check::oracle;
use crate::scenario::network::Network;
use crate::scenario::plan::{Action, Plan, Point, Step};
use crate::scenario::{Scenario, Wire};
use std::sync::OnceLock;

/// The networks of the product, by name.
pub const NETWORKS: [&str; 14] = [
    "clear",
    "slow",
    "one-byte-reads",
    "coalesced",
    "close-held",
    "client-close-held",
    "fin-held",
    "rst-race",
    "cut-idle",
    "cut-closing",
    "cut-healed",
    "relay-rst-to-fin",
    "relay-closes-both",
    "relay-cuts-off",
];

/// Where a combination of the product went.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    /// It is a sequence of the catalogue.
    Sequence(&'static Sequence),
    /// This rule takes it out.
    Excluded(&'static Exclusion),
}

/// The catalogue as it comes out of the product.
#[derive(Debug)]
pub(super) struct Product {
    pub(super) sequences: Vec<Sequence>,
    /// By [`EXCLUSIONS`].
    pub(super) excluded: Vec<usize>,
    pub(super) size: usize,
    /// How many sequences are not of the product.
    pub(super) extra: usize,
    networks: Vec<Network>,
    /// For each combination, in their order.
    places: Vec<Index>,
}

/// A [`Place`] before there are addresses.
#[derive(Clone, Copy, Debug)]
enum Index {
    Sequence(u32),
    Excluded(u8),
}

/// The plans of the product: nothing, or one action at one point.
pub fn plans() -> Vec<Plan> {
    let one = |action| Point::ALL.map(|point| Plan::one(action, point));
    std::iter::once(Plan::none()).chain(Action::ALL.into_iter().flat_map(one)).collect()
}

fn networks() -> Vec<Network> {
    NETWORKS.iter().filter_map(|name| Network::named(name)).collect()
}

impl Product {
    pub(super) fn new() -> Self {
        let (plans, networks) = (plans(), networks());
        let mut product = Self {
            sequences: Vec::new(),
            excluded: vec![0; EXCLUSIONS.len()],
            size: 0,
            extra: 0,
            networks: networks.clone(),
            places: Vec::new(),
        };
        for wire in Wire::ALL {
            for client in &plans {
                for server in &plans {
                    for network in &networks {
                        product.add(Scenario::new(wire, client.clone(), server.clone(), network.clone()));
                    }
                }
            }
        }
        product.size = product.places.len();
        product.add_extra();
        product
    }

    /// The sequence that `scenario` is, without the product of all.
    pub(super) fn sequence(scenario: &Scenario) -> Option<Sequence> {
        if scenario.network.has_packets() || !Self::has(scenario) {
            return None;
        }
        let expectation = oracle::expect(scenario);
        if Exclusion::by_outcome(scenario, &expectation).is_some() {
            return None;
        }
        Some(Sequence { id: scenario.to_string(), scenario: scenario.clone(), expectation })
    }

    /// Whether it is among those that are put to the oracle.
    fn has(scenario: &Scenario) -> bool {
        static EXTRA: OnceLock<Vec<Scenario>> = OnceLock::new();
        let Scenario { wire, client, server, network, .. } = scenario;
        let has_plans = [client, server].into_iter().all(|plan| number_of(plan).is_some());
        let usual = || Scenario::new(*wire, client.clone(), server.clone(), network.clone());
        if has_plans && networks().contains(network) && *scenario == usual() {
            return Exclusion::by_plan(scenario).is_none();
        }
        EXTRA.get_or_init(|| extra::scenarios().into_iter().collect()).contains(scenario)
    }

    fn add(&mut self, scenario: Scenario) {
        let excluded = |product: &mut Self, rule: usize| {
            product.excluded[rule] += 1;
            product.places.push(Index::Excluded(rule as u8));
        };
        if let Some(rule) = Exclusion::by_plan(&scenario) {
            return excluded(self, rule);
        }
        let expectation = oracle::expect(&scenario);
        if let Some(rule) = Exclusion::by_outcome(&scenario, &expectation) {
            return excluded(self, rule);
        }
        self.places.push(Index::Sequence(self.sequences.len() as u32));
        self.sequences.push(Sequence { id: scenario.to_string(), scenario, expectation });
    }

    /// Adds what is not of the product, if the oracle finds that it comes to pass.
    fn add_extra(&mut self) {
        for scenario in extra::scenarios() {
            let expectation = oracle::expect(&scenario);
            if Exclusion::by_outcome(&scenario, &expectation).is_none() {
                self.sequences.push(Sequence { id: scenario.to_string(), scenario, expectation });
                self.extra += 1;
            }
        }
    }

    /// What `rule` takes out, in the order of the product.
    pub(super) fn excluded(&'static self, rule: &Exclusion) -> impl Iterator<Item = Scenario> {
        let letter = rule.letter;
        let is_out =
            move |index: &Index| matches!(index, Index::Excluded(rule) if EXCLUSIONS[*rule as usize].letter == letter);
        let (plans, networks) = (plans(), &self.networks);
        let numbers = self.places.iter().enumerate().filter(move |(_, index)| is_out(index)).map(|(number, _)| number);
        numbers.map(move |number| {
            let (row, network) = (number / networks.len(), number % networks.len());
            let (row, server) = (row / plans.len(), row % plans.len());
            let (wire, client) = (row / plans.len(), row % plans.len());
            let plan = |index: usize| plans[index].clone();
            Scenario::new(Wire::ALL[wire], plan(client), plan(server), networks[network].clone())
        })
    }

    /// Where the combination of the product went that `scenario` is.
    pub(super) fn place(&'static self, scenario: &Scenario) -> Option<Place> {
        let wire = Wire::ALL.iter().position(|wire| *wire == scenario.wire)?;
        let network = self.networks.iter().position(|network| *network == scenario.network)?;
        let [client, server] = [number_of(&scenario.client)?, number_of(&scenario.server)?];
        let row = (wire * PLANS + client) * PLANS + server;
        Some(match *self.places.get(row * NETWORKS.len() + network)? {
            Index::Sequence(index) => Place::Sequence(self.sequences.get(index as usize)?),
            Index::Excluded(rule) => Place::Excluded(&EXCLUSIONS[rule as usize]),
        })
    }
}

/// How many plans there are.
const PLANS: usize = 1 + Action::ALL.len() * Point::ALL.len();

/// Where in [`plans`] it stands.
fn number_of(plan: &Plan) -> Option<usize> {
    match plan.steps[..] {
        [] => Some(0),
        [Step { action, point }] => Some(1 + action as usize * Point::ALL.len() + point as usize),
        _ => None,
    }
}
