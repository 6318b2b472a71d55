//! The catalogue: all close sequences.
//!
//! A sequence is a plan for the client, a plan for the server, a network and a wire. The catalogue is the product of
//! all of them, without what the rules of [`EXCLUSIONS`] remove. [`statistics`] counts it. The allowed endings of each
//! sequence come from the [`oracle`](crate::check::oracle), which implements PROTOCOL.md and does not use the close
//! machine.

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

/// Returns all sequences, in an order that never changes.
pub fn all() -> &'static [Sequence] {
    &product().sequences
}

fn product() -> &'static Product {
    static PRODUCT: OnceLock<Product> = OnceLock::new();
    PRODUCT.get_or_init(Product::new)
}

/// Returns the sequence with this id.
pub fn find(id: &str) -> Option<&'static Sequence> {
    static INDEX: OnceLock<HashMap<&'static str, &'static Sequence>> = OnceLock::new();
    let index = INDEX.get_or_init(|| all().iter().map(|sequence| (sequence.id.as_str(), sequence)).collect());
    index.get(id).copied()
}

/// Returns the sequences whose id contains all of `parts`.
pub fn filter<'a>(parts: &'a [&'a str]) -> impl Iterator<Item = &'static Sequence> + 'a {
    all().iter().filter(move |sequence| parts.iter().all(|part| sequence.id.contains(part)))
}

/// Returns the place of `scenario` in the product; `None` if it is not in the product.
pub fn place(scenario: &Scenario) -> Option<Place> {
    product().place(scenario)
}

/// Returns the combinations that `rule` removes from the product.
pub fn excluded(rule: &Exclusion) -> impl Iterator<Item = Scenario> {
    product().excluded(rule)
}

/// Returns the sequence that `scenario` is, or is a run of. Does not build the whole product.
pub fn of_run(scenario: &Scenario) -> Option<Sequence> {
    let race = || {
        let network = Network { rst: Rst::Races, ..scenario.network.clone() };
        Product::sequence(&Scenario { network, ..scenario.clone() })
    };
    Product::sequence(scenario).or_else(race)
}

/// Returns the hash of all traces of the catalogue on `backend`. It is the same in every process and every build.
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
