//! `tcp-states`: how the two ends of a TCP connection close, as the kernel shows it, and which sockets of this machine
//! are stuck in closing.

mod experiment;
mod watch;

use clap::Args;
use std::io;
use std::process::ExitCode;

/// The command line of `tcp-states`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten, next_help_heading = "The experiment")]
    experiment: experiment::ExperimentOptions,

    #[command(flatten, next_help_heading = "The watch")]
    watch: watch::WatchOptions,

    /// Print JSON; echo-net/TCP-STATES.md has the schemas
    #[arg(long)]
    json: bool,
}

/// Runs the experiment or the watch.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let result = match arguments.watch.watch {
        Some(_) => watch::run(&arguments.watch, arguments.json),
        None => experiment::run(&arguments.experiment, arguments.json),
    };
    match result {
        Ok(exit) => exit.into(),
        Err((exit, line)) => crate::exit::fail(exit, &line),
    }
}

/// Returns one line about a kernel that does not show its sockets.
fn no_sock_diag(error: &io::Error) -> String {
    format!("this kernel does not show its TCP sockets: {error}; sock_diag needs its modules inet_diag and tcp_diag")
}
