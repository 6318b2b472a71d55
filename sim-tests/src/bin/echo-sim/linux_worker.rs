//! `echo-sim linux-worker`: the process in a network namespace of its own that other commands start; and how they do.

use crate::output::{Answer, Trouble};
use sim_tests::linux::{Isolated, isolated_command, why_not};
use sim_tests::{Record, Scenario, linux_worker, run_on_linux};

pub(crate) fn run() -> Result<Answer, Trouble> {
    let isolated = Isolated::prove().map_err(|error| Trouble::Usage(error.to_string()))?;
    linux_worker(isolated).map_err(|error| Trouble::Failed(error.to_string()))?;
    Ok(Answer::new(String::new(), true))
}

/// Runs all scenarios in such a process, and calls `done` after each.
pub(crate) fn records(scenarios: &[Scenario], done: impl FnMut()) -> Result<Vec<Record>, Trouble> {
    if let Some(why) = why_not() {
        return Err(Trouble::Failed(format!("this machine allows no network namespace: {why}")));
    }
    let failed = |error: std::io::Error| Trouble::Failed(error.to_string());
    let program = std::env::current_exe().map_err(failed)?;
    let mut worker = isolated_command(program).map_err(failed)?;
    worker.arg("linux-worker");
    run_on_linux(worker, scenarios, done).map_err(failed)
}
