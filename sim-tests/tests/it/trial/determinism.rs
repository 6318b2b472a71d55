//! Strict trials: code that is not deterministic is reported, also if only another process shows it.

use super::{answer, trial};
use sim_tests::trial::{FindingKind, Trial, TrialNetwork, TrialReport, TrialStream, first_difference};
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::process::Command;
use std::sync::LazyLock;
use std::time::{Instant, SystemTime};
use tokio::io::AsyncWriteExt;

/// Tells the processes that the test below starts which client they run.
const VARIABLE: &str = "SIM_TESTS_TRIAL_CLIENT";

/// A strict trial of a client that sends one byte and returns `outcome`.
fn strict(outcome: impl AsyncFn() -> String + Clone + 'static) -> TrialReport {
    let client = move |mut stream: TrialStream| {
        let outcome = outcome.clone();
        async move {
            let _ = stream.write_all(b"?").await;
            outcome().await
        }
    };
    Trial::new(client, answer, |_| Ok(())).networks(&[TrialNetwork::CLEAR]).faults(&[]).strict().run()
}

/// The finding of a strict trial, without the report around it.
fn complaint(report: &TrialReport) -> String {
    let complaints: Vec<_> =
        report.of(FindingKind::NotDeterministic).map(|failure| failure.finding.what.clone()).collect();
    complaints.join("\n")
}

#[test]
fn deterministic_code_passes() {
    let report = trial().strict().run();
    assert!(report.is_clean(), "{report}");
}

#[test]
fn an_unbiased_select_is_caught() {
    let report = strict(async || {
        let mut turns = String::new();
        for _ in 0..64 {
            tokio::select! {
                () = async {} => turns.push('a'),
                () = async {} => turns.push('b'),
            }
        }
        turns
    });
    assert!(complaint(&report).starts_with("line 4 of the timeline was \"0 client returned"), "{report}");
}

#[test]
fn the_order_of_a_hash_set_is_caught() {
    let report = strict(async || format!("{:?}", (0..64).collect::<HashSet<_>>()));
    assert!(complaint(&report).contains("client returned"), "{report}");
}

#[test]
fn the_wall_clock_is_caught() {
    let report = strict(async || format!("{:?}", SystemTime::now()));
    assert!(complaint(&report).contains("client returned"), "{report}");
}

#[test]
fn the_monotonic_clock_is_caught() {
    let report = strict(async || format!("{:?}", Instant::now()));
    assert!(complaint(&report).contains("client returned"), "{report}");
}

/// Random, but constant within a process: a second run in the same process cannot show it.
static DRAWN: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one("drawn once"));

fn hashes(client: &str) -> String {
    let report = match client {
        "plain" => trial().run(),
        "drawn" => strict(async || DRAWN.to_string()),
        _ => panic!("no client {client:?}; there are plain, drawn"),
    };
    assert!(report.is_clean(), "{report}");
    report.hashes.iter().map(|(scenario, hash)| format!("hash {scenario} {hash:016x}\n")).collect()
}

/// Prints the hashes in a process that was started for it; otherwise checks that there are some.
#[test]
fn hashes_of_a_process() {
    match std::env::var(VARIABLE) {
        Ok(client) => print!("\n{}", hashes(&client)),
        Err(_) => assert!(hashes("plain").lines().count() > 500),
    }
}

/// Runs the test above in another process.
fn hashes_of_another_process(client: &str) -> String {
    let mut command = Command::new(std::env::current_exe().expect("this test"));
    command.args(["--exact", "trial::determinism::hashes_of_a_process", "--nocapture"]).env(VARIABLE, client);
    let output = command.output().expect("this test starts");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines().filter(|line| line.starts_with("hash ")).map(|line| format!("{line}\n")).collect()
}

#[test]
fn other_processes_give_the_same_runs() {
    let here = hashes("plain");
    assert!(here.lines().count() > 500, "{here}");
    assert_eq!(first_difference(&hashes_of_another_process("plain"), &here), None);
}

#[test]
fn what_is_drawn_once_in_a_process_is_caught_by_another() {
    let (one, other) = (hashes_of_another_process("drawn"), hashes_of_another_process("drawn"));
    let (number, _, _) = first_difference(&one, &other).expect("64 random bits twice the same");
    assert_eq!(number, 1, "{one}\n{other}");
}
