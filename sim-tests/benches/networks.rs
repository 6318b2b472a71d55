//! What a conversation costs on each simulated network, and a state in the explorer.
//!
//! `cargo bench -p sim-tests`. Conversations are those of the catalogue, one in each [`EVERY`]: each is run, and its
//! record is judged, as `echo-sim check` does.

use divan::Bencher;
use divan::counter::ItemsCount;
use sim_tests::catalogue::{self, Sequence};
use sim_tests::explorer::{self, Limits, Setup};
use sim_tests::{Backend, ScenarioError};

/// One sequence in so many is run.
const EVERY: usize = 40;

fn main() {
    divan::main();
}

/// One conversation after the other on one core.
#[divan::bench(args = [Backend::Pair, Backend::Turmoil, Backend::Packet], sample_count = 5, sample_size = 1)]
fn conversations(bencher: Bencher<'_, '_>, backend: Backend) {
    let sequences = catalogue::all().iter().step_by(EVERY);
    let sequences: Vec<_> = sequences.filter(|sequence| backend.expresses(&sequence.scenario).is_ok()).collect();
    bencher.counter(ItemsCount::new(sequences.len())).bench_local(|| {
        for sequence in &sequences {
            run(sequence, backend).unwrap_or_else(|error| panic!("{} on {backend:?}: {error}", sequence.id));
        }
    });
}

fn run(sequence: &Sequence, backend: Backend) -> Result<(), ScenarioError> {
    let record = backend.run(&sequence.scenario)?;
    assert_eq!(sequence.judge(&record), [], "{}", sequence.id);
    Ok(())
}

/// States of the quick explorations, by how many there are.
#[divan::bench(args = explorer::quick().into_iter().map(Exploration), sample_count = 5, sample_size = 1)]
fn states(bencher: Bencher<'_, '_>, Exploration(setup): &Exploration) {
    let states = explore(setup);
    bencher.counter(ItemsCount::new(states)).bench_local(|| explore(setup));
}

struct Exploration(Setup);

impl std::fmt::Display for Exploration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.name)
    }
}

fn explore(setup: &Setup) -> u64 {
    let exploration = explorer::run(setup, Limits::default(), &mut |_| ());
    assert!(exploration.holds(), "{exploration}");
    exploration.states
}
