//! `echo-net generate`: completions for shells, and manual pages.

use crate::exit::{Exit, fail};
use clap::{Args, Command};
use clap_complete::{Shell, generate_to};
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The command line of `generate`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The output directory, created if it does not exist
    directory: PathBuf,
}

/// Writes completions and manual pages.
pub(crate) fn run(arguments: &Arguments, mut command: Command) -> ExitCode {
    match write_all(&mut command, &arguments.directory) {
        Ok(()) => Exit::Clean.into(),
        Err(error) => fail(Exit::System, &format!("cannot write to {}: {error}", arguments.directory.display())),
    }
}

fn write_all(command: &mut Command, directory: &Path) -> io::Result<()> {
    std::fs::create_dir_all(directory)?;
    let name = command.get_name().to_owned();
    for shell in [Shell::Bash, Shell::Fish, Shell::Zsh] {
        generate_to(shell, command, &name, directory)?;
    }
    clap_mangen::generate_to(command.clone(), directory)
}
