//! Processes in a network namespace of their own, for the tests.

use sim_tests::linux::{isolated_command, why_not};
use sim_tests::trial::{OnLinux, TrialReport};
use sim_tests::{Record, Scenario, run_on_linux};
use std::io::Write;
use std::process::Command;

/// Whether this machine allows what a worker needs. If not, a person is told and the test passes; in CI it fails.
pub(crate) fn possible() -> bool {
    let Some(why) = why_not() else { return true };
    assert!(std::env::var_os("CI").is_none(), "CI has to allow what the Linux network needs: {why}");
    let _ = std::io::stderr().write_all(format!("SKIPPED: no Linux network: {why}\n").as_bytes());
    false
}

/// The worker of `echo-sim`.
pub(crate) fn worker() -> Command {
    let mut worker = isolated_command(env!("CARGO_BIN_EXE_echo-sim")).expect("/proc is there");
    worker.arg("linux-worker");
    worker
}

pub(crate) fn run(jobs: &[Scenario]) -> Vec<Record> {
    run_on_linux(worker(), jobs, || ()).unwrap_or_else(|error| panic!("{error}"))
}

/// Checks that a trial has this finding and no other, and that Linux confirms it.
#[track_caller]
pub(crate) fn all_confirmed(report: &TrialReport, finding: &str) {
    let [failure] = &report.failures[..] else { panic!("one finding expected: {report}") };
    assert_eq!(failure.finding.what, finding);
    match &failure.on_linux {
        Some(OnLinux::Confirmed { .. }) => (),
        Some(OnLinux::NotConfirmed { ladder, .. }) => panic!("{report}\non Linux:\n{ladder}"),
        other => panic!("{report}: {other:?}"),
    }
}
