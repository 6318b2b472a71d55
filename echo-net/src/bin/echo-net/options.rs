//! Options of several commands.

use crate::address;
use crate::tls::ClientTlsOptions;
use crate::units;
use clap::Args;
use echo_net::echo_core::{Config, Deadline, Deadlines};
use std::time::Duration;

/// The server to connect to.
#[derive(Debug, Args)]
pub(crate) struct ServerOptions {
    /// The server; without a port, that of --port
    #[arg(value_name = "HOST[:PORT]", default_value = "127.0.0.1")]
    server: String,

    /// The port, if HOST has none
    #[arg(short, long, default_value_t = address::PORT)]
    port: u16,

    #[command(flatten)]
    pub(crate) tls: ClientTlsOptions,
}

impl ServerOptions {
    /// Parses the host and port.
    ///
    /// # Errors
    /// Those of [`address::parse`].
    pub(crate) fn parse(&self) -> Result<(String, u16), String> {
        address::parse(&self.server, self.port)
    }
}

/// Settings of each connection.
#[derive(Debug, Args)]
pub(crate) struct ConnectionOptions {
    /// Maximum message length in bytes, or with a unit such as 64k (at most 16777191); on the plain wire a longer line
    /// is answered in pieces
    #[arg(long, value_name = "SIZE", default_value = "1M", value_parser = message_limit)]
    max_message: usize,

    /// Set a deadline, such as idle=60 (seconds), close=500ms or drain=never. Names: connect, detect, answer, idle,
    /// write, drain, close, fin, linger, shutdown. May be given several times
    #[arg(long = "deadline", value_name = "NAME=TIME", value_parser = deadline)]
    deadlines: Vec<(Deadline, Duration)>,
}

impl ConnectionOptions {
    pub(crate) fn config(&self) -> Config {
        self.config_with(Deadlines::default())
    }

    /// A plain client sends FIN before it has all answers, so its linger deadline must allow time for answers.
    pub(crate) fn plain_config(&self) -> Config {
        let mut deadlines = Deadlines::default();
        deadlines.linger = deadlines.answer;
        deadlines.shutdown += deadlines.answer;
        self.config_with(deadlines)
    }

    fn config_with(&self, mut deadlines: Deadlines) -> Config {
        for (deadline, length) in &self.deadlines {
            deadlines.set(*deadline, *length);
        }
        let mut config = Config::default();
        config.limit = self.max_message;
        config.deadlines = deadlines;
        config
    }
}

fn message_limit(text: &str) -> Result<usize, String> {
    const MOST: usize = echo_net::echo_core::frame::MAX_PAYLOAD;
    match units::size(text) {
        Some(limit @ 1..=MOST) => Ok(limit),
        Some(_) | None => Err(format!("expected a number of bytes from 1 to {MOST}, such as 1000 or 64k")),
    }
}

fn deadline(text: &str) -> Result<(Deadline, Duration), String> {
    let names = Deadline::ALL.map(Deadline::name).join(", ");
    let (name, length) = text.split_once('=').ok_or("expected NAME=TIME, such as idle=60 or close=500ms")?;
    let deadline = Deadline::ALL.into_iter().find(|deadline| deadline.name() == name);
    let deadline = deadline.ok_or_else(|| format!("{name} is not a deadline: expected one of {names}"))?;
    if length == "never" {
        return Ok((deadline, Duration::MAX));
    }
    Ok((deadline, units::duration(length, 1.0)?))
}
