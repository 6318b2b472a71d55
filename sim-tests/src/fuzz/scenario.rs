//! Random scenarios, run on the pair and held against the contract.

use crate::random::{self, judge};
use crate::record::{Backend, fnv, split_mix};
use crate::scenario::Scenario;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// No scenario takes so many bytes of chance.
const CHANCE: usize = 16 * 1024;

/// The scenario that `data` draws: the bytes take the place of chance, and when they are used up there is more. (Zeros for ever would
/// be no chance: who draws several different numbers would never have them.)
fn drawn(data: &[u8]) -> Option<Scenario> {
    let mut state = fnv(data);
    let more = std::iter::repeat_with(|| split_mix(&mut state).to_le_bytes()).flatten();
    let bytes: Vec<u8> = data.iter().copied().chain(more).take(CHANCE).collect();
    let rng = TestRng::from_seed(RngAlgorithm::PassThrough, &bytes);
    let config = Config { failure_persistence: None, ..Config::default() };
    let tree = random::scenario().new_tree(&mut TestRunner::new_with_rng(config, rng)).ok()?;
    Some(tree.current())
}

/// Every scenario that can be drawn keeps the contract on the pair, and a second run is the same.
pub(super) fn check(data: &[u8]) {
    let Some(scenario) = drawn(data) else { return };
    if let Err(flaw) = judge(&|scenario| Backend::Pair.run(scenario), &scenario) {
        panic!("{flaw}\n{scenario}");
    }
}
