//! `tcp-states`: how the two ends of a TCP connection close, as the kernel shows it, and which sockets of this machine
//! are stuck in closing.

mod experiment;
mod screen;
mod watch;

use crate::exit::Exit;
use crate::standard::StandardStream;
use clap::Args;
use screen::{Picture, ScreenSize};
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

/// The command line of `tcp-states`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten, next_help_heading = "The experiment")]
    experiment: experiment::ExperimentOptions,

    #[command(flatten, next_help_heading = "The watch")]
    watch: watch::WatchOptions,

    /// Print JSON; echo-net/TCP-STATES.md has the schemas
    #[arg(long, conflicts_with_all = ["lines", "screen"])]
    json: bool,

    /// Print lines, also at a terminal
    #[arg(long)]
    lines: bool,

    /// Print the picture of a terminal of this size, once
    #[arg(long, value_name = "COLUMNSxLINES", conflicts_with_all = ["lines", "once"])]
    screen: Option<ScreenSize>,
}

/// Runs the experiment or the watch.
pub(crate) async fn run(arguments: Arguments) -> ExitCode {
    let is_watch = arguments.watch.watch.is_some();
    let is_text = arguments.json || arguments.lines || arguments.watch.once || !io::stdout().is_terminal();
    let result = match (is_watch, arguments.screen) {
        (true, Some(size)) => watch::picture(&arguments.watch).and_then(|mut picture| print(&mut picture, size)),
        (true, None) if is_text => {
            let form = if arguments.json { watch::Form::Json } else { watch::Form::Lines };
            watch::run(&arguments.watch, form).map(ExitCode::from)
        }
        (true, None) => match watch::picture(&arguments.watch) {
            Ok(picture) => screen::show(picture).await,
            Err(failed) => Err(failed),
        },
        (false, Some(size)) => {
            experiment::last_picture(&arguments.experiment).and_then(|mut picture| print(&mut picture, size))
        }
        (false, None) if is_text => experiment::run(&arguments.experiment, arguments.json).map(ExitCode::from),
        (false, None) => match experiment::picture(&arguments.experiment) {
            Ok(picture) => screen::show(picture).await,
            Err(failed) => Err(failed),
        },
    };
    result.unwrap_or_else(|(exit, line)| crate::exit::fail(exit, &line))
}

fn print(picture: &mut impl Picture, size: ScreenSize) -> Result<ExitCode, (Exit, String)> {
    let written = StandardStream::stdout().write_all(screen::text(picture, size).as_bytes());
    written.map_err(|error| (Exit::System, format!("cannot write: {error}")))?;
    Ok(Exit::Clean.into())
}

/// Returns the lines of a text, each at most `width` characters long if its words are.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Returns a time for JSON.
fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Returns one line about a kernel that does not show its sockets.
fn no_sock_diag(error: &io::Error) -> String {
    format!("this kernel does not show its TCP sockets: {error}; sock_diag needs its modules inet_diag and tcp_diag")
}

#[cfg(test)]
mod tests {
    use super::wrapped;

    #[test]
    fn no_line_is_longer_than_asked() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("a-long-word b", 3), ["a-long-word", "b"]);
        assert_eq!(wrapped("", 3), [] as [&str; 0]);
    }
}
