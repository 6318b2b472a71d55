//! `echo-net serve`.

use crate::exit::{Exit, fail};
use crate::options::ConnectionOptions;
use clap::{Args, ValueEnum};
use echo_net::echo_core::{Config, Role};
use echo_net::{Clock, ServerConfig, listen_tcp, return_free_memory, serve_until};
use std::cell::Cell;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

const MEBIBYTE: usize = 1024 * 1024;

/// The command line of `serve`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Where to listen; port 0 picks a free one. The first line of the output names the address
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:2012")]
    listen: String,

    /// Plain wire: a message ends at a newline, or when nothing has come for so many milliseconds;
    /// 0: each read is a message
    #[arg(long, value_name = "MS", default_value_t = 20)]
    quiet: u64,

    /// Plain wire: the time before an answer in UTC instead of local time
    #[arg(long)]
    utc: bool,

    /// So many connections at once; one more is refused with the reason
    #[arg(long, value_name = "COUNT", default_value_t = 1024)]
    max_connections: usize,

    /// So many MiB hold what connections have sent and are to be sent, all together; at least 4 for each MiB of
    /// --max-message. For whom there is no room the conversation ends with the reason
    #[arg(long, value_name = "MIB", default_value_t = 512)]
    max_memory: usize,

    /// Who sends FIN first, and so stays in TIME_WAIT, on the framed wire
    #[arg(long, value_enum, default_value_t = FirstFin::Client)]
    first_fin: FirstFin,

    /// Logs nothing but what goes wrong
    #[arg(long)]
    silent: bool,

    #[command(flatten)]
    connection: ConnectionOptions,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FirstFin {
    Client,
    Server,
}

impl Arguments {
    fn config(&self) -> Result<ServerConfig, String> {
        let first_fin = match self.first_fin {
            FirstFin::Client => Role::Client,
            FirstFin::Server => Role::Server,
        };
        let config = ServerConfig {
            connection: Config { quiet: Duration::from_millis(self.quiet), first_fin, ..self.connection.config() },
            clock: if self.utc { Clock::utc() } else { Clock::local() },
            max_connections: self.max_connections,
            max_memory: self.max_memory.saturating_mul(MEBIBYTE),
            ..ServerConfig::default()
        };
        match config.least_memory() {
            least if least > config.max_memory => Err(format!(
                "--max-memory {} is too little for messages of {} bytes: expected at least {}, or a smaller --max-message",
                self.max_memory,
                config.connection.limit,
                least.div_ceil(MEBIBYTE)
            )),
            _ => Ok(config),
        }
    }
}

/// Serves until the first SIGINT or SIGTERM, then drains; the second aborts.
pub(crate) async fn run(arguments: Arguments) -> ExitCode {
    let config = match arguments.config() {
        Ok(config) => config,
        Err(error) => return fail(Exit::Usage, &error),
    };
    return_free_memory();
    let level = if arguments.silent { tracing::Level::WARN } else { tracing::Level::INFO };
    // That nobody reads the log, or that its reader stalls, is no reason to stop: a thread writes it, and when lines
    // pile up they are dropped.
    let (log, _writing) = tracing_appender::non_blocking(std::io::stderr());
    tracing_subscriber::fmt()
        .log_internal_errors(false)
        .with_ansi(false)
        .with_writer(log)
        .with_max_level(level)
        .with_target(false)
        .init();
    let signals = match count_signals() {
        Ok(signals) => signals,
        Err(error) => return fail(Exit::System, &format!("cannot wait for signals: {error}")),
    };
    let listener = match listen_tcp(&arguments.listen).await {
        Ok(listener) => listener,
        Err(error) => return fail(Exit::System, &format!("cannot listen on {}: {error}", arguments.listen)),
    };
    match listener.local_addr() {
        Ok(address) => say(&format!("listening on {address}")),
        Err(error) => return fail(Exit::System, &format!("cannot listen on {}: {error}", arguments.listen)),
    }
    let aborted = Cell::new(false);
    let abort = async {
        reached(signals.clone(), 2).await;
        aborted.set(true);
    };
    let report = serve_until(listener, config, reached(signals.clone(), 1), abort).await;
    say(&format!("served {report}"));
    if aborted.get() {
        return fail(Exit::NotClean, "stopped by a second signal: connections were aborted");
    }
    Exit::Clean.into()
}

/// Counts SIGINT and SIGTERM.
fn count_signals() -> std::io::Result<watch::Receiver<u32>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let (count, signals) = watch::channel(0);
    tokio::spawn(async move {
        loop {
            tokio::select! { biased;
                _ = interrupt.recv() => (),
                _ = terminate.recv() => (),
            }
            count.send_modify(|count| *count += 1);
        }
    });
    Ok(signals)
}

/// Waits until so many signals have come.
async fn reached(mut signals: watch::Receiver<u32>, wanted: u32) {
    let counted = signals.wait_for(|count| *count >= wanted).await;
    debug_assert!(counted.is_ok(), "the counter runs as long as the program");
}

/// A line on standard output; that nobody reads it is no reason to stop.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
