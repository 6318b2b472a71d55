//! Any bytes as streams, calls and schedules: the checks of the fuzzers (`sim_tests::fuzz`), run with proptest.

use proptest::prelude::*;
use sim_tests::fuzz::Target;

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..400)
}

fn check(target: &str, bytes: &[u8]) {
    Target::named(target).expect("a target of this name").check(bytes);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// clause 5.2, clause 5.3, clause 5.9, clause 5.10, clause 5.13, clause 7.3, clause 8.2, on any schedule with any
    /// network faults.
    #[test]
    fn any_schedule(bytes in bytes()) {
        check("pair", &bytes);
    }

    /// clause 5.4, clause 5.5, clause 5.13: without faults both ends are clean, no side aborts, and the right side has
    /// TIME_WAIT, wherever the transport cuts.
    #[test]
    fn any_schedule_without_faults(bytes in bytes()) {
        check("peace", &bytes);
    }

    /// clause 4.9: any calls and bytes, in both roles and on both wires: no panic, limited buffers, an end in time,
    /// nothing after a CLOSE, and no account that claims more than is true.
    #[test]
    fn any_calls(bytes in bytes()) {
        check("connection", &bytes);
    }

    /// clause 4.9, clause 5.3, clause 7.3: the same with a peer whose bytes are changed in flight.
    #[test]
    fn any_edits(bytes in bytes()) {
        check("mangled", &bytes);
    }
}
