//! `echo-net bench`: measures a server with a load of messages or of short conversations.

mod csv;
mod json;
mod plan;
mod report;
mod results;
mod server;
mod stage;
mod user;
mod worker;

use crate::address;
use crate::exit::{Exit, fail, killed, say};
use crate::limits;
use crate::options::ConnectionOptions;
use crate::signals::Signals;
use crate::standard::StandardStream;
use crate::tls::ClientTlsOptions;
use crate::units;
use clap::Args;
use plan::Plan;
use results::Results;
use server::Embedded;
use stage::Run;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// The command line of `bench`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The server; without a port, that of --port. Without a server, one of its own on loopback, on a core of its own
    #[arg(value_name = "HOST[:PORT]")]
    server: Option<String>,

    /// The port, if HOST has none
    #[arg(short, long, default_value_t = address::PORT)]
    port: u16,

    /// Number of concurrent connections; with --short, of concurrent conversations
    #[arg(short, long, value_name = "COUNT", default_value_t = 8, value_parser = units::count)]
    connections: usize,

    /// Maximum number of unanswered requests on each connection. Each answer makes room for the next request, so the
    /// server sets the pace
    #[arg(short, long, value_name = "COUNT", default_value_t = 16, value_parser = units::count)]
    unanswered: usize,

    /// Send this many requests per second over all connections, whether answers come or not. The latency is then
    /// counted from the moment that a request should have been sent
    #[arg(short, long, value_name = "COUNT", value_parser = units::count, conflicts_with_all = ["unanswered", "short"])]
    rate: Option<usize>,

    /// Length of each message in bytes, or with a unit such as 64k; on the plain wire with its newline
    #[arg(short, long, value_name = "SIZE", default_value = "64", value_parser = units::any_size)]
    size: usize,

    /// Short conversations: connect, one message, the whole close handshake, again and again
    #[arg(long, conflicts_with = "unanswered")]
    short: bool,

    /// Use the plain wire
    #[arg(long)]
    plain: bool,

    /// How long to measure
    #[arg(short, long, value_name = "TIME", default_value = "5s", value_parser = units::some_of_a_day)]
    time: Duration,

    /// How long to run before measuring
    #[arg(short, long, value_name = "TIME", default_value = "1s", value_parser = units::of_a_day)]
    warm_up: Duration,

    /// Number of threads for the connections [default: the number of cores, less one for a server of its own]
    #[arg(long, value_name = "COUNT", value_parser = units::count)]
    threads: Option<usize>,

    /// Write the result as one line of JSON
    #[arg(long)]
    json: bool,

    /// Write t1 to t4 of each measured message to a file: nanoseconds since 1970, t1 and t4 by this machine's clock, t2
    /// and t3 by the server's
    #[arg(long, value_name = "FILE", conflicts_with = "plain")]
    csv: Option<PathBuf>,

    #[command(flatten)]
    tls: ClientTlsOptions,

    #[command(flatten)]
    connection: ConnectionOptions,
}

/// Measures, prints the result, and checks it.
pub(crate) async fn run(arguments: Arguments) -> ExitCode {
    match measure(arguments).await {
        Ok(exit) => exit,
        Err((exit, line)) => fail(exit, &line),
    }
}

/// Why there is no result.
type Failure = (Exit, String);

async fn measure(arguments: Arguments) -> Result<ExitCode, Failure> {
    let signals = Signals::listen().map_err(|error| (Exit::System, format!("cannot wait for signals: {error}")))?;
    let is_own = arguments.server.is_none();
    // Each runtime has a few descriptors of its own.
    let runtimes = 4 * (arguments.threads.unwrap_or(8).min(arguments.connections) + 2);
    let sockets = arguments.connections.saturating_mul(if is_own { 2 } else { 1 });
    limits::check_files(sockets.saturating_add(runtimes)).map_err(|error| (Exit::System, error))?;
    let server =
        if is_own { Some(Embedded::start(arguments.connection.config(), arguments.connections)?) } else { None };
    let plan = Arc::new(Plan::new(&arguments, server.as_ref().map(Embedded::address)).await?);
    let csv = arguments.csv.as_deref().map(csv::Csv::create).transpose()?;
    let run = Arc::new(Run::new());
    let workers = worker::start(&plan, &run, csv.clone()).map_err(|error| (Exit::System, error))?;
    let mut results = pin!(workers.results());
    let (stopped_by, ended) = tokio::select! { biased;
        signal = signals.reached(1) => (Some(signal), None),
        // All conversations have failed.
        results = &mut results => (None, Some(results)),
        () = run.pass(&plan, shows_progress(&arguments)) => (None, None),
    };
    run.finish();
    let results = match ended {
        Some(results) => results,
        None => tokio::select! { biased;
            // A second signal does not wait for the ends of the conversations.
            signal = signals.reached(2) => return Ok(killed(signal)),
            results = results => results,
        },
    };
    let results = results.map_err(|error| (Exit::System, error))?;
    let served = match server {
        Some(server) => Some(server.stop().await),
        None => None,
    };
    if let Some(csv) = csv {
        csv.finish()?;
    }
    if results.is_unreached() && stopped_by.is_none() {
        return Err((Exit::System, results.problems(&plan).join("; ")));
    }
    let seconds = run.measured();
    let text = match arguments.json {
        true => json::line(&plan, &results, seconds, served.as_ref()),
        false => report::text(&plan, &results, seconds, served.as_ref()),
    };
    if let Err(error) = std::io::Write::write_all(&mut StandardStream::stdout(), text.as_bytes()) {
        return Err((Exit::System, format!("cannot write the result: {error}")));
    }
    Ok(conclude(&plan, &results, stopped_by))
}

fn shows_progress(arguments: &Arguments) -> bool {
    !arguments.json && std::io::stderr().is_terminal()
}

/// Tells what went wrong, and returns the exit code.
fn conclude(plan: &Plan, results: &Results, stopped_by: Option<crate::signals::Signal>) -> ExitCode {
    let problems = results.problems(plan);
    if !problems.is_empty() {
        say(&format!("failed: {}", problems.join("; ")));
    }
    match stopped_by {
        Some(signal) => killed(signal),
        None if problems.is_empty() => Exit::Clean.into(),
        None => Exit::NotClean.into(),
    }
}
