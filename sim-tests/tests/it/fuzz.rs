//! Every fuzz target on random bytes, on the corpora in `fuzz/`, and on all inputs that failed once.

use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};
use sim_tests::fuzz::{Target, inputs};
use sim_tests::pairs::Pairs;
use std::cell::RefCell;
use std::path::Path;

/// Number of inputs for each target.
const CASES: u32 = 300;
/// Maximum length of an input, in bytes.
const LENGTH: usize = 400;

fn any_bytes(name: &str) -> Pairs {
    let target = Target::named(name).expect("a target");
    let asked = ProptestConfig::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { asked.cases } else { CASES };
    let rng_seed = if asked.rng_seed == RngSeed::Random { RngSeed::Fixed(4007) } else { asked.rng_seed };
    let config = ProptestConfig { cases, rng_seed, failure_persistence: None, ..asked };
    let reached = RefCell::new(Pairs::default());
    let run = |bytes: Vec<u8>| match target.run(&bytes) {
        Ok(pairs) => {
            reached.borrow_mut().merge(pairs);
            Ok(())
        }
        Err(broken) => Err(TestCaseError::fail(broken)),
    };
    if let Err(broken) = TestRunner::new(config).run(&prop::collection::vec(any::<u8>(), 0..LENGTH), run) {
        panic!("{name}: {broken}");
    }
    reached.into_inner()
}

macro_rules! targets {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                any_bytes(stringify!($name));
            }
        )*

        #[test]
        fn no_target_is_left_out() {
            let names: Vec<&str> = Target::ALL.iter().map(|target| target.name).collect();
            assert_eq!(names, [$(stringify!($name)),*]);
        }
    };
}

targets! { decoder round_trip connection pair peace mangled plain came_back scenario scenario_text segments }

/// Runs every file of the corpora, and every input that failed once.
#[test]
fn corpora_and_regressions_are_run_again() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
    for kind in ["corpus", "regressions"] {
        for target in Target::ALL {
            let path = folder.join(kind).join(target.name);
            if kind == "regressions" && !path.exists() {
                continue;
            }
            let entries = inputs(&path).unwrap_or_else(|error| panic!("{error}"));
            assert!(kind == "regressions" || !entries.is_empty(), "{}: no file", path.display());
            for entry in entries {
                if let Err(broken) = target.run(&entry.bytes) {
                    panic!("{}: {broken}", entry.path.display());
                }
            }
        }
    }
}
