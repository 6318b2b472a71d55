//! The harness for any protocol, tested with a very small one: one question, and one answer after its length.

mod bugs;
mod determinism;
mod echo;
mod entry;
mod network;
mod network_bugs;
mod network_programs;
mod opt_in;
mod page;
mod planted;
mod sockets;

#[path = "../../shared/question.rs"]
mod question;

use self::question::{ANSWER, Answer, PATIENCE, answer, ask, whole_or_nothing};
use sim_tests::trial::{TimeWait, Trial, TrialReport};
use std::io;

fn trial() -> Trial<Answer, io::Result<()>> {
    Trial::new(ask, answer, whole_or_nothing).time_wait(TimeWait::Client)
}

/// The first failure in a line: what it is, and its shortest run.
fn caught(report: &TrialReport) -> String {
    match report.failures.first() {
        Some(failure) => format!("{} | {}", failure.finding, failure.scenario),
        None => "NOT CAUGHT".to_owned(),
    }
}
