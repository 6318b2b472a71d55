//! The catalogue: every close sequence, enumerated.
//!
//! A sequence is what the client does and when, what the server does and when, a network and a wire. The product of
//! all of them, less what the rules of [`EXCLUSIONS`] take out, is the catalogue; [`statistics`] adds it up. What may come
//! of each says the [`oracle`](crate::check::oracle), which knows PROTOCOL.md and not the machine.

mod exclusion;
mod extra;
mod nearest;
mod packets;
mod product;
mod sequence;
mod statistics;
mod verdict;

pub use exclusion::{EXCLUSIONS, Exclusion};
pub use nearest::nearest;
pub use packets::{PACKET_EXCLUSIONS, PacketExclusion, PacketSequence, packets};
pub use product::{NETWORKS, Place, plans};
pub use sequence::Sequence;
pub use statistics::{Statistics, statistics};
pub use verdict::{Problem, check_run};

use crate::scenario::Backend;
use crate::scenario::Scenario;
use crate::scenario::network::{Network, Rst};
use crate::support::ScenarioError;
use crate::support::fnv;
use product::Product;

use std::collections::HashMap;
use std::sync::OnceLock;

/// All sequences, in an order that never changes.
pub fn all() -> &'static [Sequence] {
    &product().sequences
}

fn product() -> &'static Product {
    static PRODUCT: OnceLock<Product> = OnceLock::new();
    PRODUCT.get_or_init(Product::new)
}

/// The sequence called `id`.
pub fn find(id: &str) -> Option<&'static Sequence> {
    static INDEX: OnceLock<HashMap<&'static str, &'static Sequence>> = OnceLock::new();
    let index = INDEX.get_or_init(|| all().iter().map(|sequence| (sequence.id.as_str(), sequence)).collect());
    index.get(id).copied()
}

/// The sequences whose id contains every one of `parts`.
pub fn filter<'a>(parts: &'a [&'a str]) -> impl Iterator<Item = &'static Sequence> + 'a {
    all().iter().filter(move |sequence| parts.iter().all(|part| sequence.id.contains(part)))
}

/// Where in the product `scenario` is; `None` if it is not of the product.
pub fn place(scenario: &Scenario) -> Option<Place> {
    product().place(scenario)
}

/// The combinations that `rule` takes out of the product.
pub fn excluded(rule: &Exclusion) -> impl Iterator<Item = Scenario> {
    product().excluded(rule)
}

/// The sequence that `scenario` is, or is a run of. Only this one is looked at, not the whole product.
pub fn of_run(scenario: &Scenario) -> Option<Sequence> {
    let race = || {
        let network = Network { rst: Rst::Races, ..scenario.network.clone() };
        Product::sequence(&Scenario { network, ..scenario.clone() })
    };
    Product::sequence(scenario).or_else(race)
}

/// The hash of all traces of the catalogue on `backend`: the same in every process and every build.
///
/// # Errors
/// The first [`ScenarioError`], if a sequence cannot be run.
pub fn hash(backend: Backend) -> Result<u64, ScenarioError> {
    let mut text = String::new();
    for run in all().iter().flat_map(|sequence| sequence.scenario.runs()) {
        text.push_str(&format!("{:016x}\n", backend.run(&run)?.hash()));
    }
    Ok(fnv(text.as_bytes()))
}
