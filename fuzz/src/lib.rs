//! Shared code of the fuzz targets: runs a check of [`sim_tests::fuzz`], and reports the close machine's states as
//! coverage.
#![deny(missing_docs)]

pub use libfuzzer_sys;
pub use sim_tests::fuzz::Target;

use sim_tests::pairs::Pairs;
use std::sync::atomic::{AtomicU8, Ordering};

/// One counter for each pair of half states and event. libFuzzer takes a new count for new coverage. So it keeps an
/// input that reaches a new pair, even if no new line of code was run.
// Safety: the section holds only counters of one byte, as libFuzzer expects (FuzzerExtraCounters.cpp).
#[unsafe(link_section = "__libfuzzer_extra_counters")]
static COUNTERS: [AtomicU8; Pairs::COUNT] = [const { AtomicU8::new(0) }; Pairs::COUNT];

/// Runs the check of `target`, and sets the counters of the pairs that it reached.
///
/// # Panics
/// If the check fails.
pub fn run(target: &Target, bytes: &[u8]) {
    target.check(bytes);
    for index in Pairs::take().indices() {
        COUNTERS[index].store(1, Ordering::Relaxed);
    }
}

/// Defines the fuzz target with this name.
#[macro_export]
macro_rules! target {
    ($name:literal) => {
        $crate::libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
            let target = $crate::Target::named($name).expect("a target of this name");
            $crate::run(target, bytes);
        });
    };
}
