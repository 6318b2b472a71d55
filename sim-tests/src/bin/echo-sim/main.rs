//! `echo-sim`: every close sequence, run, listed, replayed and compared.

mod check;
mod coverage;
mod diff;
mod explore;
mod fuzz;
mod generate;
mod hash;
mod inherited;
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

/// Runs every close sequence of the catalogue on two cores and on a simulated network, and holds each run against
/// the close contract.
///
/// Exit status: 0 all is well, 1 a promise is broken or two runs differ, 2 wrong usage (an unknown id, a bad file),
/// 3 something could not be read or written, 130 a signal stopped random scenarios that were all well so far.
#[derive(Parser)]
#[command(name = "echo-sim", version = concat!(env!("CARGO_PKG_VERSION"), " (protocol echo/1)"), args_conflicts_with_subcommands = true)]
struct Program {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    check: check::Options,
}

/// The names of the commands, for who mistypes one.
pub(crate) const COMMANDS: [&str; 9] =
    ["check", "list", "replay", "explore", "coverage", "random", "fuzz", "hash", "diff"];

#[derive(Subcommand)]
enum Command {
    /// Run the catalogue, and sum up what came of it (the default)
    Check(check::Options),
    /// List the sequences of the catalogue, with what may come of each and the clauses that say so
    List(list::Options),
    /// Run one scenario and print its ladder: who sent and got what, and when
    Replay(replay::Options),
    /// Visit every state that a conversation can come to, and hold every promise against each
    Explore(explore::Options),
    /// Give each packet each fate, and count how often each change of a TCP state is taken
    Coverage(coverage::Options),
    /// Run random scenarios, and make what breaks a promise as simple as it gets
    Random(random::Options),
    /// List the fuzz targets, or run inputs of one again and say which states they reach
    Fuzz(fuzz::Options),
    /// Print the hash of all traces, which is the same in every process and every build
    Hash(hash::Options),
    /// Say what differs between the runs that two versions have saved (check --save)
    Diff(diff::Options),
    /// Write completions for bash, fish and zsh, and manual pages, to a directory
    #[command(hide = true)]
    Generate(generate::Options),
}

fn main() -> ExitCode {
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
        Command::Generate(options) => generate::run(&options, Program::command()),
    };
    match answer.and_then(Answer::print) {
        Ok(code) => code,
        Err(trouble) => trouble.tell(),
    }
}

/// What clap says, in one line where a value is bad.
fn refuse(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::ValueValidation | ErrorKind::InvalidValue => {
            let text = error.to_string();
            let line = text.lines().next().unwrap_or_default();
            Trouble::Usage(line.strip_prefix("error: ").unwrap_or(line).to_owned()).tell()
        }
        // Help and versions come this way too. If there is nobody to tell, the exit code says it.
        _ => {
            let _ = error.print();
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
        }
    }
}
