//! `tcp-states`: how the two ends of a TCP connection close, as the kernel shows it, and which sockets of this machine
//! are stuck in closing.

mod experiment;

use crate::exit::Exit;
use clap::Args;
use std::process::ExitCode;

/// The command line of `tcp-states`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    experiment: experiment::Options,

    /// Print JSON (echo-net/TCP-STATES.md has the schema)
    #[arg(long)]
    json: bool,
}

/// Runs the experiment.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    match experiment::run(&arguments.experiment, arguments.json) {
        Ok(exit) => exit.into(),
        Err(line) => crate::exit::fail(Exit::System, &line),
    }
}

/// Returns one line about a kernel that does not show its sockets.
fn no_sock_diag(error: &std::io::Error) -> String {
    format!("this kernel does not show its TCP sockets: {error}; sock_diag needs its modules inet_diag and tcp_diag")
}
