//! The product: each wire with each pair of plans on each network, and the place of each combination.

use super::exclusion::{EXCLUSIONS, Exclusion};
use super::extra;
use super::sequence::Sequence;
use crate::check::oracle;
use crate::scenario::network::Network;
use crate::scenario::plan::{Action, Plan, Point, Step};
use crate::scenario::{Scenario, Wire};
use crate::support::parallel::parallel_map;
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

/// The place of a combination of the product.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    /// It is a sequence of the catalogue.
    Sequence(&'static Sequence),
    /// This rule removes it.
    Excluded(&'static Exclusion),
}

/// The catalogue, built from the product.
#[derive(Debug)]
pub(super) struct Product {
    pub(super) sequences: Vec<Sequence>,
    /// The number of combinations that each rule removes, in the order of [`EXCLUSIONS`].
    pub(super) excluded: Vec<usize>,
    pub(super) size: usize,
    /// The number of sequences that are not in the product.
    pub(super) extra: usize,
    networks: Vec<Network>,
    /// The place of each combination, in their order.
    places: Vec<Index>,
}

/// A [`Place`] with indices instead of references.
#[derive(Clone, Copy, Debug)]
enum Index {
    Sequence(u32),
    Excluded(u8),
}

/// Returns the plans of the product: no step, or one action at one point.
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
        let rows = parallel_map(Wire::ALL.len() * plans.len(), |row| {
            let (wire, client) = (Wire::ALL[row / plans.len()], &plans[row % plans.len()]);
            let all = plans.iter().flat_map(|server| networks.iter().map(move |network| (server, network)));
            all.map(|(server, network)| judged(Scenario::new(wire, client.clone(), server.clone(), network.clone())))
                .collect::<Vec<_>>()
        });
        rows.into_iter().flatten().for_each(|combination| product.add(combination));
        product.size = product.places.len();
        product.add_extra();
        product
    }

    /// Returns `scenario` as a sequence, without building the whole product.
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

    /// Returns whether it is an extra scenario, or a combination that no rule removes before the oracle is asked.
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

    /// Adds a sequence, or the rule that removes it.
    fn add(&mut self, combination: Result<Box<Sequence>, usize>) {
        match combination {
            Ok(sequence) => {
                self.places.push(Index::Sequence(self.sequences.len() as u32));
                self.sequences.push(*sequence);
            }
            Err(rule) => {
                self.excluded[rule] += 1;
                self.places.push(Index::Excluded(rule as u8));
            }
        }
    }

    /// Adds the scenarios beyond the product, except those that a rule removes because of their expectation.
    fn add_extra(&mut self) {
        for scenario in extra::scenarios() {
            let expectation = oracle::expect(&scenario);
            if Exclusion::by_outcome(&scenario, &expectation).is_none() {
                self.sequences.push(Sequence { id: scenario.to_string(), scenario, expectation });
                self.extra += 1;
            }
        }
    }

    /// Returns the combinations that `rule` removes, in the order of the product.
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

    /// Returns the place of `scenario`; `None` if it is no combination of the product.
    pub(super) fn place(&'static self, scenario: &Scenario) -> Option<Place> {
        let Scenario { wire, client, server, network, .. } = scenario;
        if *scenario != Scenario::new(*wire, client.clone(), server.clone(), network.clone()) {
            return None;
        }
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

/// Returns the sequence of a combination, or the rule that removes it, as an index into [`EXCLUSIONS`].
fn judged(scenario: Scenario) -> Result<Box<Sequence>, usize> {
    if let Some(rule) = Exclusion::by_plan(&scenario) {
        return Err(rule);
    }
    let expectation = oracle::expect(&scenario);
    match Exclusion::by_outcome(&scenario, &expectation) {
        Some(rule) => Err(rule),
        // Most combinations are removed, so a place for a sequence would mostly be empty.
        None => Ok(Box::new(Sequence { id: scenario.to_string(), scenario, expectation })),
    }
}

/// The number of plans.
const PLANS: usize = 1 + Action::ALL.len() * Point::ALL.len();

/// Returns the index of the plan in [`plans`].
fn number_of(plan: &Plan) -> Option<usize> {
    match plan.steps[..] {
        [] => Some(0),
        [Step { action, point }] => Some(1 + action as usize * Point::ALL.len() + point as usize),
        _ => None,
    }
}
