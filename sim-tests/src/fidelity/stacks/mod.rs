//! The simulators' own stacks, without the harness's corrections: programs that show where they differ from Linux.

mod linux;
mod smoltcp;
mod turmoil;

use crate::backend::LinuxNetwork;
use std::error::Error;

/// A program that shows what a simulator's stack does.
#[derive(Clone, Copy, Debug)]
pub struct StackProgram {
    /// The simulator.
    pub simulator: &'static str,
    /// Its name, and that of its file in `sim-tests/src/fidelity/stacks/SIMULATOR`.
    pub name: &'static str,
    run: Run,
}

#[derive(Clone, Copy, Debug)]
enum Run {
    Turmoil(fn() -> Result<String, Box<dyn Error>>),
    Smoltcp(fn() -> String),
}

const fn turmoil(name: &'static str, run: fn() -> Result<String, Box<dyn Error>>) -> StackProgram {
    StackProgram { simulator: "turmoil", name, run: Run::Turmoil(run) }
}

const fn smoltcp(name: &'static str, run: fn() -> String) -> StackProgram {
    StackProgram { simulator: "smoltcp", name, run: Run::Smoltcp(run) }
}

/// All programs.
pub static PROGRAMS: [StackProgram; 15] = [
    turmoil("dropped_read_half", turmoil::dropped_read_half::on_turmoil),
    turmoil("fin_at_capacity", turmoil::fin_at_capacity::on_turmoil),
    turmoil("no_send_buffer", turmoil::no_send_buffer::on_turmoil),
    turmoil("partition_stalls", turmoil::partition_stalls::on_turmoil),
    turmoil("read_after_reset", turmoil::read_after_reset::on_turmoil),
    turmoil("reset_overtakes", turmoil::reset_overtakes::on_turmoil),
    turmoil("second_shutdown", turmoil::second_shutdown::on_turmoil),
    turmoil("write_after_reset", turmoil::write_after_reset::on_turmoil),
    smoltcp("close_with_unread", smoltcp::close_with_unread::on_smoltcp),
    smoltcp("fin_wait_2", smoltcp::fin_wait_2::on_smoltcp),
    smoltcp("first_retransmission", smoltcp::first_retransmission::on_smoltcp),
    smoltcp("late_data", smoltcp::late_data::on_smoltcp),
    smoltcp("retransmissions", smoltcp::retransmissions::on_smoltcp),
    smoltcp("syn_to_time_wait", smoltcp::syn_to_time_wait::on_smoltcp),
    smoltcp("time_wait", smoltcp::time_wait::on_smoltcp),
];

impl StackProgram {
    /// Runs it on its simulator. Returns what it observes.
    pub fn on_simulator(&self) -> String {
        match self.run {
            Run::Turmoil(run) => run().unwrap_or_else(|error| format!("fails: {error}")),
            Run::Smoltcp(run) => run(),
        }
    }

    /// Returns the job of a worker that runs it on Linux.
    pub fn job(&self) -> String {
        format!("{JOB}{}", self.name)
    }
}

/// What the jobs of the programs begin with.
const JOB: &str = "stack ";

/// Runs the program of a job on Linux. Returns what it observes; `None` if the job is none of a program.
pub(super) async fn observe(network: &LinuxNetwork, job: &str) -> Option<Result<String, String>> {
    let name = job.strip_prefix(JOB)?;
    let Some(program) = PROGRAMS.iter().find(|program| program.name == name) else {
        return Some(Err(format!("no program {name}")));
    };
    Some(linux::on_linux(program, network).await.map_err(|error| error.to_string()))
}

