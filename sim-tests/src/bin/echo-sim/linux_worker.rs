//! `echo-sim linux-worker`: the process in a network namespace of its own that other commands start; and how they do.

use crate::output::{Answer, Trouble};
use sim_tests::fidelity::StackProgram;
use sim_tests::linux::{Isolated, isolated_command, why_not};
use sim_tests::{Record, Scenario, do_on_linux, fidelity, linux_worker, run_on_linux};
use std::process::Command;

pub(crate) fn run() -> Result<Answer, Trouble> {
    let isolated = Isolated::prove().map_err(|error| Trouble::Usage(error.to_string()))?;
    linux_worker(isolated, fidelity::job).map_err(failed)?;
    Ok(Answer::new(String::new(), true))
}

/// Runs all scenarios in such a process, and calls `done` after each.
pub(crate) fn records(scenarios: &[Scenario], done: impl FnMut()) -> Result<Vec<Record>, Trouble> {
    run_on_linux(worker()?, scenarios, done).map_err(failed)
}

/// Runs all stack programs in such a process. Returns what each observes.
pub(crate) fn stacks(programs: &[StackProgram]) -> Result<Vec<String>, Trouble> {
    let jobs: Vec<String> = programs.iter().map(StackProgram::job).collect();
    let results = do_on_linux(worker()?, &jobs, || ()).map_err(failed)?;
    Ok(results.iter().map(|result| result.as_str().unwrap_or_default().to_owned()).collect())
}

fn worker() -> Result<Command, Trouble> {
    if let Some(why) = why_not() {
        return Err(Trouble::Failed(format!("this machine does not allow the backend linux: {why}")));
    }
    let mut worker = isolated_command(std::env::current_exe().map_err(failed)?).map_err(failed)?;
    worker.arg("linux-worker");
    Ok(worker)
}

fn failed(error: std::io::Error) -> Trouble {
    Trouble::Failed(error.to_string())
}
