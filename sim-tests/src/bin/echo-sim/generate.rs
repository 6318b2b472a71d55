//! `echo-sim generate`: writes shell completions and manual pages.

use crate::output::{Answer, Trouble};
use clap::{Args, Command};
use clap_complete::{Shell, generate_to};
use std::io;
use std::path::{Path, PathBuf};

#[derive(Args)]
pub(crate) struct Options {
    /// The directory, which is created if it does not exist
    directory: PathBuf,
}

pub(crate) fn run(options: &Options, mut command: Command) -> Result<Answer, Trouble> {
    let directory = &options.directory;
    write_all(&mut command, directory)
        .map_err(|error| Trouble::Failed(format!("cannot write to {}: {error}", directory.display())))?;
    Ok(Answer::new(String::new(), true))
}

fn write_all(command: &mut Command, directory: &Path) -> io::Result<()> {
    std::fs::create_dir_all(directory)?;
    let name = command.get_name().to_owned();
    for shell in [Shell::Bash, Shell::Fish, Shell::Zsh] {
        generate_to(shell, command, &name, directory)?;
    }
    clap_mangen::generate_to(command.clone(), directory)
}
