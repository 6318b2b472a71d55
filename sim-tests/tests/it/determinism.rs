//! A scenario has the same trace in another run, process and build. The same comparison must detect runs that are not
//! deterministic on purpose.

use sim_tests::internal::fnv;
use sim_tests::{Backend, Scenario, catalogue};
use std::collections::{BTreeSet, HashSet};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The output of `echo-sim hash --lines` in another process, for a part of the catalogue and for random scenarios.
fn hashes_of_a_process() -> String {
    let arguments = ["hash", "--lines", "--shard", "1/50", "--seeds", "0..2000"];
    let output = Command::new(env!("CARGO_BIN_EXE_echo-sim")).args(arguments).output().expect("echo-sim starts");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// This process and two others agree. (`.ci/run` compares everything, also between debug and release builds.)
#[test]
fn other_processes_give_the_same_traces() {
    let there = hashes_of_a_process();
    assert_eq!(hashes_of_a_process(), there);
    let mut compared = 0;
    for line in there.lines() {
        let [backend, hash, what] = line.splitn(3, ' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        if let (Ok(backend), Ok(scenario)) = (backend.parse::<Backend>(), what.parse::<Scenario>())
            && scenario.runs().len() == 1
        {
            let here = backend.run(&scenario).expect("it runs there, so it runs here");
            assert_eq!(format!("{:016x}", here.hash()), hash, "{line}");
            compared += 1;
        }
    }
    assert!(compared > 300, "{compared}");
}

/// A run that is not deterministic: it takes scenarios in the order of a hash set.
fn hash_in_random_order() -> u64 {
    let ids: HashSet<&str> = catalogue::all().iter().take(100).map(|sequence| sequence.id.as_str()).collect();
    let trace = |id: &&str| {
        let scenario: Scenario = id.parse().expect("an id of the catalogue");
        Backend::Pair.run(&scenario).expect("the pair expresses every scenario").trace()
    };
    fnv(ids.iter().map(trace).collect::<String>().as_bytes())
}

/// Two orders of 100 ids in a hash set are never the same by chance.
#[test]
fn an_unordered_map_is_caught() {
    let hashes: BTreeSet<u64> = (0..3).map(|_| hash_in_random_order()).collect();
    assert!(hashes.len() > 1, "three hash sets in one order: the control does not work");
}

/// The trace of a turmoil host that does `way`.
fn trace_of_a_host(way: &str) -> String {
    let trace = Arc::new(Mutex::new(String::new()));
    let (log, way) = (Arc::clone(&trace), way.to_owned());
    let mut builder = turmoil::Builder::new();
    builder.rng_seed(1).epoch(std::time::UNIX_EPOCH).simulation_duration(Duration::from_secs(10));
    let mut sim = builder.build();
    sim.client("host", async move {
        for _ in 0..64 {
            let ready = std::future::ready::<()>;
            let event = match way.as_str() {
                "biased select" => tokio::select! { biased; () = ready(()) => "left ", () = ready(()) => "right " },
                "unbiased select" => tokio::select! { () = ready(()) => "left ", () = ready(()) => "right " },
                "simulated clock" => format!("{:?} ", turmoil::sim_elapsed()).leak(),
                "wall clock" => format!("{:?} ", std::time::SystemTime::now()).leak(),
                other => panic!("no way {other:?}"),
            };
            log.lock().expect("one thread").push_str(event);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    });
    sim.run().expect("the host does nothing that can fail");
    let trace = trace.lock().expect("one thread");
    trace.clone()
}

const WAY: &str = "ECHO_SIM_TEST_WAY";

/// Prints a trace, in the processes that [`traces`] starts.
#[test]
#[ignore = "a process of its own for the controls below"]
fn a_host_in_a_process_of_its_own() {
    let way = std::env::var(WAY).unwrap_or_else(|_| "biased select".to_owned());
    println!("trace {:016x}", fnv(trace_of_a_host(&way).as_bytes()));
}

/// The different traces of four processes.
fn traces(way: &str) -> BTreeSet<String> {
    let this = std::env::current_exe().expect("a program knows where it is");
    let name = "determinism::a_host_in_a_process_of_its_own";
    let one = |_| {
        let mut process = Command::new(&this);
        let output = process.args(["--exact", name, "--ignored", "--nocapture"]).env(WAY, way).output();
        let text = String::from_utf8(output.expect("it starts").stdout).expect("UTF-8");
        let trace = text.lines().find_map(|line| line.split_once("trace ")).expect("it prints its trace");
        trace.1.to_owned()
    };
    (0..4).map(one).collect()
}

#[test]
fn an_unbiased_select_is_caught() {
    assert_eq!(traces("biased select").len(), 1);
    assert!(traces("unbiased select").len() > 1, "64 coins fell alike in four processes: the control does not work");
}

#[test]
fn a_wall_clock_is_caught() {
    assert_eq!(traces("simulated clock").len(), 1);
    assert!(traces("wall clock").len() > 1, "four processes at one time: the control does not work");
}

/// The hash depends on every event: it changes if one is left out or changed.
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
