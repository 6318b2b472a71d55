//! `echo-sim`: runs, lists, replays and compares close sequences.

mod check;
mod coverage;
mod diff;
mod explore;
#[cfg(target_os = "linux")]
mod fidelity;
mod fuzz;
mod generate;
mod hash;
mod inherited;
#[cfg(target_os = "linux")]
mod linux_worker;
mod list;
mod output;
mod random;
mod replay;
mod select;
mod stop;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use output::{Answer, Trouble};
use std::process::ExitCode;

/// Runs every close sequence of the catalogue on two cores and on simulated networks, and checks each run against the
/// close contract.
///
/// Exit status: 0 all is well, 1 a rule is broken or two runs differ, 2 wrong usage (an unknown id, a bad file), 3
/// something could not be read or written, or the machine does not allow it, 130 a signal stopped random scenarios and
/// none had failed.
#[derive(Parser)]
#[command(name = "echo-sim", version = concat!(env!("CARGO_PKG_VERSION"), " (protocol echo/1)"), args_conflicts_with_subcommands = true)]
struct Program {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    check: check::Options,
}

/// The names of the commands, for suggestions on a mistyped one.
pub(crate) const COMMANDS: [&str; 10] =
    ["check", "list", "replay", "explore", "coverage", "random", "fuzz", "hash", "diff", "fidelity"];

#[derive(Subcommand)]
enum Command {
    /// Run the catalogue, and summarize the results (the default)
    Check(check::Options),
    /// List the sequences of the catalogue, with the allowed endings of each and their clauses
    List(list::Options),
    /// Run one scenario and print its ladder: what each side sent and received, and when
    Replay(replay::Options),
    /// Visit every state that a conversation can reach, and check every rule in each
    Explore(explore::Options),
    /// Give each packet each fate, and count how often each TCP state change happens
    Coverage(coverage::Options),
    /// Run random scenarios, and shrink those that break a rule
    Random(random::Options),
    /// List the fuzz targets, or run inputs of one and print which states they reach
    Fuzz(fuzz::Options),
    /// Print the hash of all traces, which is the same in every process and every build
    Hash(hash::Options),
    /// Compare the runs that two versions have saved (check --save)
    Diff(diff::Options),
    /// Compare the simulated networks with Linux
    #[cfg(target_os = "linux")]
    Fidelity(fidelity::Options),
    /// Run scenarios on the kernel, in a network namespace of its own (for other commands)
    #[cfg(target_os = "linux")]
    #[command(hide = true)]
    LinuxWorker,
    /// Write completions for bash, fish and zsh, and manual pages, to a directory
    #[command(hide = true)]
    Generate(generate::Options),
}

fn main() -> ExitCode {
    keep_freed_memory();
    let options = match Program::try_parse() {
        Ok(options) => options,
        Err(error) => return refuse(&error),
    };
    let answer = match options.command.unwrap_or(Command::Check(options.check)) {
        Command::Check(options) => check::run(&options),
        Command::List(options) => list::run(&options),
        Command::Replay(options) => replay::run(&options),
        Command::Explore(options) => explore::run(&options),
        Command::Coverage(options) => coverage::run(&options),
        Command::Random(options) => random::run(&options),
        Command::Fuzz(options) => fuzz::run(&options),
        Command::Hash(options) => hash::run(&options),
        Command::Diff(options) => diff::run(&options),
        #[cfg(target_os = "linux")]
        Command::Fidelity(options) => fidelity::run(&options),
        #[cfg(target_os = "linux")]
        Command::LinuxWorker => linux_worker::run(),
        Command::Generate(options) => generate::run(&options, Program::command()),
    };
    match answer.and_then(Answer::print) {
        Ok(code) => code,
        Err(trouble) => trouble.tell(),
    }
}

/// Makes the allocator keep what each run frees for the next one: glibc gives freed memory back to the kernel above a
/// threshold, which is twice the largest block that was freed so far.
fn keep_freed_memory() {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(8 << 20)));
}

/// Prints the error of clap; an invalid value gives one line.
fn refuse(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::ValueValidation | ErrorKind::InvalidValue => {
            let text = error.to_string();
            let line = text.lines().next().unwrap_or_default();
            Trouble::Usage(line.strip_prefix("error: ").unwrap_or(line).to_owned()).tell()
        }
        // Help and version are printed here, too. If printing fails, the exit code is the only report.
        _ => {
            let _ = error.print();
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
        }
    }
}
