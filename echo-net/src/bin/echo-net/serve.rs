//! `echo-net serve`.

use crate::exit::{Exit, fail};
use crate::options::ConnectionOptions;
use clap::{Args, ValueEnum};
use echo_net::echo_core::{Config, Role};
use echo_net::{Clock, ServerConfig, serve_until};
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;

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
    fn config(&self) -> ServerConfig {
        let first_fin = match self.first_fin {
            FirstFin::Client => Role::Client,
            FirstFin::Server => Role::Server,
        };
        ServerConfig {
            connection: Config { quiet: Duration::from_millis(self.quiet), first_fin, ..self.connection.config() },
            clock: if self.utc { Clock::utc() } else { Clock::local() },
            max_connections: self.max_connections,
            ..ServerConfig::default()
        }
    }
}

/// Serves until the first SIGINT or SIGTERM, then drains; the second aborts.
pub(crate) async fn run(arguments: Arguments) -> ExitCode {
    let level = if arguments.silent { tracing::Level::WARN } else { tracing::Level::INFO };
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(level).with_target(false).init();
    let signals = match count_signals() {
        Ok(signals) => signals,
        Err(error) => return fail(Exit::System, &format!("cannot wait for signals: {error}")),
    };
    let listener = match TcpListener::bind(&arguments.listen).await {
        Ok(listener) => listener,
        Err(error) => return fail(Exit::System, &format!("cannot listen on {}: {error}", arguments.listen)),
    };
    match listener.local_addr() {
        Ok(address) => say(&format!("listening on {address}")),
        Err(error) => return fail(Exit::System, &format!("cannot listen on {}: {error}", arguments.listen)),
    }
    let aborted = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let abort = {
        let (signals, aborted) = (signals.clone(), aborted.clone());
        async move {
            take(&signals, 2).await;
            aborted.store(true, std::sync::atomic::Ordering::Relaxed);
        }
    };
    let report = serve_until(listener, arguments.config(), take(&signals, 1), abort).await;
    say(&format!("served {report}"));
    if aborted.load(std::sync::atomic::Ordering::Relaxed) {
        return fail(Exit::NotClean, "stopped by a second signal: connections were aborted");
    }
    Exit::Clean.into()
}

/// Counts SIGINT and SIGTERM.
fn count_signals() -> std::io::Result<Arc<Semaphore>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let count = Arc::new(Semaphore::new(0));
    let counter = count.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! { biased;
                _ = interrupt.recv() => (),
                _ = terminate.recv() => (),
            }
            counter.add_permits(1);
        }
    });
    Ok(count)
}

/// Waits until so many signals have come.
async fn take(signals: &Semaphore, count: u32) {
    // The permits go back when they are dropped, so that the second signal completes two.
    let permits = signals.acquire_many(count).await;
    debug_assert!(permits.is_ok(), "the semaphore is never closed");
}

/// A line on standard output; that nobody reads it is no reason to stop.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
