//! The same scenario, the same trace: in another run, in another process, in another build.

use sim_tests::{Backend, Scenario, catalogue, fnv};
use std::collections::{BTreeSet, HashSet};
use std::process::Command;

/// Runs `echo-sim hash` in a process of its own.
fn hashes_of_a_process() -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_echo-sim")).arg("hash").output().expect("echo-sim starts");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn hashes_of_this_process() -> String {
    let line = |backend: Backend| format!("{} {:016x}\n", backend.id(), catalogue::hash(backend).expect("all run"));
    Backend::ALL.map(line).concat()
}

#[test]
fn other_processes_give_the_same_traces() {
    let here = hashes_of_this_process();
    assert_eq!(hashes_of_a_process(), here);
    assert_eq!(hashes_of_a_process(), here);
}

#[test]
fn a_second_run_gives_the_same_record() {
    for sequence in catalogue::all().iter().step_by(37) {
        let (id, scenario) = (&sequence.id, &sequence.scenario);
        for backend in Backend::ALL {
            assert_eq!(backend.run(scenario), backend.run(scenario), "{id} on {}", backend.id());
        }
    }
}

/// A run that is not deterministic, on purpose: it takes the catalogue in the order of a hash set.
fn hash_in_random_order() -> u64 {
    let ids: HashSet<&str> = catalogue::all().iter().step_by(157).map(|sequence| sequence.id.as_str()).collect();
    let trace = |id: &&str| {
        let scenario: Scenario = id.parse().expect("an id of the catalogue");
        Backend::Pair.run(&scenario).expect("the pair expresses every scenario").trace()
    };
    fnv(ids.iter().map(trace).collect::<String>().as_bytes())
}

/// The comparison above would notice: the order of some ids in a hash set is never twice the same by chance.
#[test]
fn a_run_that_is_not_deterministic_is_caught() {
    let hashes: BTreeSet<u64> = (0..3).map(|_| hash_in_random_order()).collect();
    assert!(hashes.len() > 1, "three hash sets in one order: the control does not work");
}

/// The hash depends on every event: one that is left out, or changed, shows.
#[test]
fn the_hash_sees_every_event() {
    let scenario: Scenario = "framed/client:close@idle/server:close@idle/clear".parse().expect("an id");
    let record = Backend::Pair.run(&scenario).expect("expressible");
    for index in 0..record.entries.len() {
        let mut doctored = record.clone();
        doctored.entries.remove(index);
        assert_ne!(doctored.hash(), record.hash(), "without {:?}", record.entries[index]);
    }
}
