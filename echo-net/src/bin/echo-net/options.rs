//! Options that several commands share.

use clap::Args;
use echo_net::echo_core::{Config, Deadline, Deadlines};
use std::time::Duration;

/// What each connection is told.
#[derive(Debug, Args)]
pub(crate) struct ConnectionOptions {
    /// Longest message in bytes (at most 16777191); on the plain wire a longer line is answered in pieces
    #[arg(long, value_name = "BYTES", default_value_t = 1024 * 1024, value_parser = message_limit)]
    max_message: usize,

    /// Sets a deadline in seconds, or `never`: connect, detect, answer, idle, write, drain, close, fin, linger,
    /// shutdown; may be given several times
    #[arg(long = "deadline", value_name = "NAME=SECONDS", value_parser = deadline)]
    deadlines: Vec<(Deadline, Duration)>,
}

impl ConnectionOptions {
    pub(crate) fn config(&self) -> Config {
        self.config_with(Deadlines::default())
    }

    /// For a plain client FIN comes before the answers to it, so the wait for the server's FIN is one for answers.
    pub(crate) fn plain_config(&self) -> Config {
        let usual = Deadlines::default();
        let shutdown = usual.shutdown + usual.answer;
        self.config_with(Deadlines { linger: usual.answer, shutdown, ..usual })
    }

    fn config_with(&self, mut deadlines: Deadlines) -> Config {
        for (deadline, length) in &self.deadlines {
            deadlines.set(*deadline, *length);
        }
        Config { limit: self.max_message, deadlines, ..Config::default() }
    }
}

fn message_limit(text: &str) -> Result<usize, String> {
    const MOST: usize = echo_net::echo_core::frame::MAX_PAYLOAD;
    match text.parse() {
        Ok(limit @ 1..=MOST) => Ok(limit),
        Ok(_) | Err(_) => Err(format!("expected a number of bytes from 1 to {MOST}")),
    }
}

fn deadline(text: &str) -> Result<(Deadline, Duration), String> {
    let names = Deadline::ALL.map(Deadline::name).join(", ");
    let (name, length) = text.split_once('=').ok_or("expected NAME=SECONDS, such as idle=60")?;
    let deadline = Deadline::ALL.into_iter().find(|deadline| deadline.name() == name);
    let deadline = deadline.ok_or_else(|| format!("{name} is none of {names}"))?;
    if length == "never" {
        return Ok((deadline, Duration::MAX));
    }
    let seconds: f64 = length.parse().map_err(|_| format!("{length} is no number of seconds"))?;
    let length = Duration::try_from_secs_f64(seconds).map_err(|error| format!("{length} s: {error}"))?;
    Ok((deadline, length))
}

/// A length of time in seconds, above zero.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text} is no number of seconds above zero");
    let length = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    length.filter(|length| !length.is_zero()).ok_or_else(wrong)
}
