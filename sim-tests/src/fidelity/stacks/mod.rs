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
    /// The text of its file.
    text: &'static str,
}

#[derive(Clone, Copy, Debug)]
enum Run {
    Turmoil(fn() -> Result<String, Box<dyn Error>>),
    Smoltcp(fn() -> String),
}

/// A program of turmoil, by the name of its file.
macro_rules! turmoil {
    ($name:ident) => {
        StackProgram {
            simulator: "turmoil",
            name: stringify!($name),
            run: Run::Turmoil(turmoil::$name::on_turmoil),
            text: include_str!(concat!("turmoil/", stringify!($name), ".rs")),
        }
    };
}

/// A program of smoltcp, by the name of its file.
macro_rules! smoltcp {
    ($name:ident) => {
        StackProgram {
            simulator: "smoltcp",
            name: stringify!($name),
            run: Run::Smoltcp(smoltcp::$name::on_smoltcp),
            text: include_str!(concat!("smoltcp/", stringify!($name), ".rs")),
        }
    };
}

/// All programs.
pub static PROGRAMS: [StackProgram; 17] = [
    turmoil!(dropped_read_half),
    turmoil!(fin_at_capacity),
    turmoil!(finished_host),
    turmoil!(no_send_buffer),
    turmoil!(partition_stalls),
    turmoil!(read_after_reset),
    turmoil!(reset_overtakes),
    turmoil!(second_shutdown),
    turmoil!(write_after_reset),
    turmoil!(write_boundaries),
    smoltcp!(close_with_unread),
    smoltcp!(fin_wait_2),
    smoltcp!(first_retransmission),
    smoltcp!(late_data),
    smoltcp!(retransmissions),
    smoltcp!(syn_to_time_wait),
    smoltcp!(time_wait),
];

impl StackProgram {
    /// Runs it on its simulator. Returns what it observes.
    pub fn on_simulator(&self) -> String {
        match self.run {
            Run::Turmoil(run) => run().unwrap_or_else(|error| format!("fails: {error}")),
            Run::Smoltcp(run) => run(),
        }
    }

    /// Returns the program as one file, which needs nothing of this repository.
    pub fn source(&self) -> String {
        let (needs, module, shared, run) = match self.run {
            Run::Turmoil(_) => (
                "cargo add turmoil@=0.7.2 && cargo add tokio@1 --features io-util,time",
                "between",
                include_str!("turmoil/between.rs"),
                "on_turmoil().unwrap()",
            ),
            Run::Smoltcp(_) => ("cargo add smoltcp@=0.14.0", "pair", include_str!("smoltcp/pair.rs"), "on_smoltcp()"),
        };
        let Self { name, text, .. } = self;
        format!(
            "// {needs}\n\nfn main() {{\n    println!(\"{{}}\", {name}::{run});\n}}\n\n#[allow(dead_code)]\nmod {name} \
             {{\n{text}}}\n\n#[allow(dead_code)]\nmod {module} {{\n{shared}}}\n"
        )
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
