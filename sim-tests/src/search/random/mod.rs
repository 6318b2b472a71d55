//! Random scenarios, checked against the contract. A seed gives the same scenario in every process and on every
//! machine.
//!
//! ```
//! use sim_tests::{Backend, random};
//!
//! let hunt = random::hunt(&|scenario| Backend::Pair.run(scenario), &[4, 7, 4007], &|| ());
//! assert_eq!(hunt.scenarios, 3);
//! assert!(hunt.found.is_empty(), "{}", hunt.found[0].scenario);
//! ```
//!
//! Only what must always hold is checked ([`check`]), so no expected result is needed: every conversation ends within
//! the sum of its deadlines, whatever happens, also where the faults pass and the network heals. A second run must give
//! the same record.

mod draw;

pub use draw::{peace, scenario};

use crate::check::contract::check;
use crate::check::contract_rule::{ContractBreach, ContractRule};
use crate::record::Record;
use crate::scenario::Scenario;
use crate::support::difference::first_of;
use crate::support::pairs::Pairs;
use crate::support::parallel;
use crate::support::{Millis, ScenarioError};
use proptest::strategy::{BoxedStrategy, Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// A function that runs a scenario.
pub type Run<'a> = &'a (dyn Fn(&Scenario) -> Result<Record, ScenarioError> + Sync);

/// The largest number of attempts to shrink a failing scenario.
const PATIENCE: usize = 4000;
/// The number of failing scenarios that are shrunk. The others are only counted.
const SHRUNK: usize = 3;

/// The result of a search.
#[derive(Clone, Debug, Default)]
pub struct SearchReport {
    /// The number of scenarios that were run.
    pub scenarios: u64,
    /// The virtual time of all runs together.
    pub simulated: Millis,
    /// The pairs of state and event that occurred in the close machines of both ends.
    pub pairs: Pairs,
    /// The seeds whose scenario failed.
    pub broken: Vec<u64>,
    /// The first few of them, shrunk.
    pub found: Vec<Found>,
}

/// A failure, and the simplest scenario that shows it.
#[derive(Clone, Debug)]
pub struct Found {
    /// The seed from which it was drawn.
    pub seed: u64,
    /// The scenario as it was drawn.
    pub drawn: Scenario,
    /// The scenario after shrinking.
    pub scenario: Scenario,
    /// The failure.
    pub flaw: RandomFailure,
    /// The record, if it could be run.
    pub record: Option<Record>,
}

/// What is wrong with the run of a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RandomFailure {
    /// The first broken rule of the contract.
    Breach(ContractBreach),
    /// A second run differs.
    Unsteady {
        /// The first line of the trace that differs, in the first run.
        first: String,
        /// The same line of the second run.
        second: String,
    },
    /// It cannot be run.
    Refused(ScenarioError),
}

impl fmt::Display for RandomFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Breach(breach) => breach.fmt(f),
            Self::Unsteady { first, second } => {
                write!(f, "harness: a second run differs: {first:?} became {second:?}")
            }
            Self::Refused(refusal) => write!(f, "harness: the scenario cannot be run: {refusal}"),
        }
    }
}

impl RandomFailure {
    /// Returns whether this is the same kind of failure, so that shrinking does not change from one to another.
    fn is_like(&self, other: &Self) -> bool {
        let rule = |flaw: &Self| -> Option<ContractRule> {
            match flaw {
                Self::Breach(breach) => Some(breach.rule),
                Self::Unsteady { .. } | Self::Refused(_) => None,
            }
        };
        std::mem::discriminant(self) == std::mem::discriminant(other) && rule(self) == rule(other)
    }
}

/// Returns the scenario of `seed`.
///
/// # Errors
/// A [`ScenarioError`] if none could be drawn.
pub fn drawn(seed: u64) -> Result<Scenario, ScenarioError> {
    Ok(tree(&scenario(), seed)?.current())
}

impl SearchReport {
    /// Continues with `seeds`: runs their scenarios on all processors, and checks each against the contract. `tick` is
    /// called after each.
    pub fn go_on(&mut self, run: Run<'_>, seeds: &[u64], tick: &(dyn Fn() + Sync)) {
        let next = hunt_for(run, seeds, SHRUNK - self.found.len(), tick);
        self.scenarios += next.scenarios;
        self.simulated += next.simulated;
        self.pairs.merge(next.pairs);
        self.broken.extend(next.broken);
        self.found.extend(next.found);
    }
}

/// Runs the scenarios of `seeds` on all processors, and checks each against the contract. `tick` is called after each.
pub fn hunt(run: Run<'_>, seeds: &[u64], tick: &(dyn Fn() + Sync)) -> SearchReport {
    let mut hunt = SearchReport::default();
    hunt.go_on(run, seeds, tick);
    hunt
}

/// Runs the scenarios of `seeds`, and shrinks the first `shrunk` failing ones.
fn hunt_for(run: Run<'_>, seeds: &[u64], shrunk: usize, tick: &(dyn Fn() + Sync)) -> SearchReport {
    let pairs = Mutex::new(Pairs::default());
    let tried = parallel::parallel_map(seeds.len(), |index| {
        let seed = seeds[index];
        Pairs::take();
        let tried = drawn(seed).map_err(RandomFailure::Refused).and_then(|scenario| judge(run, &scenario));
        pairs.lock().unwrap_or_else(PoisonError::into_inner).merge(Pairs::take());
        tick();
        match tried {
            Ok(record) => (seed, true, took(&record)),
            Err(_) => (seed, false, 0),
        }
    });
    let broken: Vec<u64> = tried.iter().filter(|(_, good, _)| !good).map(|(seed, _, _)| *seed).collect();
    SearchReport {
        scenarios: tried.len() as u64,
        simulated: tried.iter().map(|(_, _, time)| time).sum(),
        pairs: pairs.into_inner().unwrap_or_else(PoisonError::into_inner),
        found: broken.iter().take(shrunk).filter_map(|seed| find(run, *seed)).collect(),
        broken,
    }
}

/// Runs `scenario` twice, and checks it against the contract.
///
/// # Errors
/// The first [`RandomFailure`].
pub fn judge(run: Run<'_>, scenario: &Scenario) -> Result<Record, RandomFailure> {
    let record = run(scenario).map_err(RandomFailure::Refused)?;
    if let Some(breach) = check(&record).into_iter().next() {
        return Err(RandomFailure::Breach(breach));
    }
    let again = run(scenario).map_err(RandomFailure::Refused)?;
    if again == record { Ok(record) } else { Err(differs(&record, &again)) }
}

fn differs(one: &Record, other: &Record) -> RandomFailure {
    let lines = |record: &Record| {
        let timed = record.entries.iter().map(|entry| format!("at {} ms {}", entry.at, entry.what));
        timed.chain([format!("over at {:?}, left {:?}", record.over_at, record.unreached)]).collect::<Vec<_>>()
    };
    let (one, other) = (lines(one), lines(other));
    let differs = first_of(one.iter().map(String::as_str), other.iter().map(String::as_str));
    // Records whose texts are the same differ in their packets.
    let (_, first, second) = differs.unwrap_or((0, Some("some packets"), Some("other packets")));
    let line = |line: Option<&str>| line.unwrap_or("nothing more").to_owned();
    RandomFailure::Unsteady { first: line(first), second: line(second) }
}

/// Returns the time of the last event.
fn took(record: &Record) -> Millis {
    record.entries.last().map_or(0, |entry| entry.at)
}

/// Returns the simplest scenario with the same failure as that of `seed`; `None` if that does not fail.
pub fn find(run: Run<'_>, seed: u64) -> Option<Found> {
    let mut tree = tree(&scenario(), seed).ok()?;
    let drawn = tree.current();
    let mut flaw = judge(run, &drawn).err()?;
    let mut simplest = drawn.clone();
    let mut simpler = tree.simplify();
    for _ in 0..PATIENCE {
        if !simpler {
            break;
        }
        let scenario = tree.current();
        simpler = match judge(run, &scenario) {
            Err(same) if same.is_like(&flaw) => {
                (simplest, flaw) = (scenario, same);
                tree.simplify()
            }
            Err(_) | Ok(_) => tree.complicate(),
        };
    }
    let record = run(&simplest).ok();
    Some(Found { seed, drawn, scenario: simplest, flaw, record })
}

type Tree = <BoxedStrategy<Scenario> as Strategy>::Tree;

fn tree(strategy: &BoxedStrategy<Scenario>, seed: u64) -> Result<Tree, ScenarioError> {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &key);
    let config = Config { failure_persistence: None, ..Config::default() };
    strategy
        .new_tree(&mut TestRunner::new_with_rng(config, rng))
        .map_err(|reason| ScenarioError::Run(format!("seed {seed} gives no scenario: {reason}")))
}
