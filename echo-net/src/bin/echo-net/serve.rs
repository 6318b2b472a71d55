//! `echo-net serve`.

use crate::address;
use crate::exit::{Exit, counted, fail};
use crate::limits;
use crate::log::{Format, Lines};
use crate::metrics;
#[cfg(target_os = "linux")]
use crate::notify;
use crate::options::ConnectionOptions;
use crate::proxy::AcceptProxy;
use crate::signals::Signals;
use crate::standard::STALLED;
use crate::tls::ServerTlsOptions;
use crate::units;
use clap::{Args, ValueEnum};
use echo_net::echo_core::Role;
use echo_net::{
    Clock, Cores, Echo, Metrics, Report, ServerConfig, TcpListeners, TlsListener, return_free_memory, serve_until,
};
use std::net::{SocketAddr, TcpListener};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tracing::{Level, warn};

const MEBIBYTE: usize = 1024 * 1024;

/// The command line of `serve`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Address to listen on: HOST, PORT or both; a name means all of its addresses. Port 0 picks a free port. The first
    /// lines of the output show the addresses. With sockets given by systemd (LISTEN_FDS) the server listens on those,
    /// and --listen, --port and --reuse-port are errors [default: 127.0.0.1]
    #[arg(long, value_name = "[HOST][:PORT]")]
    listen: Option<String>,

    /// The port, if --listen has none [default: 2012]
    #[arg(short, long)]
    port: Option<u16>,

    /// Listen also where another server of yours does that was started with this option. To replace it without a gap,
    /// start the new one and then end the old one
    #[cfg(unix)]
    #[arg(long)]
    reuse_port: bool,

    /// Plain wire: a message ends at a newline, or after this time without input; a number alone is in milliseconds.
    /// With 0, each read is a message
    #[arg(long, value_name = "TIME", default_value = "20ms", value_parser = units::milliseconds)]
    quiet: Duration,

    /// Plain wire: show the time before an answer in UTC instead of local time
    #[arg(long)]
    utc: bool,

    /// Maximum number of concurrent connections; the limit of open files can lower it. Further connections are refused
    /// with a reason
    #[arg(long, value_name = "COUNT", default_value_t = 1024, value_parser = units::count)]
    max_connections: usize,

    /// Maximum MiB of memory for the input and output of all connections; at least 2, plus 4 for each MiB of
    /// --max-message. A connection that needs more is ended with a reason
    #[arg(long, value_name = "MIB", default_value_t = 512)]
    max_memory: usize,

    /// Number of threads for the connections, each with an event loop of its own [default: one for each core]
    #[arg(long, value_name = "COUNT", value_parser = units::threads)]
    threads: Option<NonZero<usize>>,

    /// The side that sends FIN first on the framed wire, and so stays in TIME_WAIT
    #[arg(long, value_enum, default_value_t = FirstFin::Client)]
    first_fin: FirstFin,

    /// Expect a PROXY protocol header (version 1 or 2) from a load balancer before each connection; the log names the
    /// client in it. Without this option such a header is refused
    #[arg(long)]
    accept_proxy: bool,

    #[command(flatten)]
    tls: ServerTlsOptions,

    /// Offer metrics of the server by HTTP at this address: GET /metrics as OpenMetrics text, and GET /healthz with
    /// status 200, or 503 in a drain. HOST, PORT or both; the default port is 2013. The output shows the addresses. A
    /// server that takes over by --reuse-port needs another port here
    #[arg(long, value_name = "[HOST][:PORT]")]
    metrics: Option<String>,

    /// Write the report to FILE at the end, as JSON
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,

    /// Log only problems
    #[arg(short = 'q', long, conflicts_with = "verbose")]
    silent: bool,

    /// Also log each step of the close handshakes
    #[arg(short, long)]
    verbose: bool,

    /// Format of the log
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Text)]
    log_format: Format,

    #[command(flatten)]
    connection: ConnectionOptions,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FirstFin {
    Client,
    Server,
}

impl Arguments {
    /// Listens for connections, and for requests for metrics if they are asked for. Prints the addresses once both work.
    async fn listen(&self, given: Vec<TcpListener>, out: &Lines) -> Result<Listening, Failure> {
        let metrics = match &self.metrics {
            Some(given) => Some(listen("--metrics", given, address::METRICS_PORT, false).await?),
            None => None,
        };
        let (listeners, addresses) = if given.is_empty() {
            let (host, port) = (self.listen.as_deref().unwrap_or(address::HOST), self.port.unwrap_or(address::PORT));
            listen("--listen", host, port, self.shares_port()).await?
        } else {
            self.listen_on(given)?
        };
        for address in &addresses {
            out.say(&format!("listening on {address}"));
        }
        let metrics = metrics.map(|(listeners, addresses)| {
            for address in addresses {
                out.say(&format!("metrics at http://{address}/metrics"));
            }
            listeners
        });
        Ok(Listening { listeners, addresses, metrics })
    }

    /// Listens on sockets that the process was given. The command line must not name others.
    fn listen_on(&self, given: Vec<TcpListener>) -> Result<(TcpListeners, Vec<SocketAddr>), Failure> {
        let named = [
            ("--listen", self.listen.is_some()),
            ("--port", self.port.is_some()),
            ("--reuse-port", self.shares_port()),
        ];
        if let Some((option, _)) = named.into_iter().find(|(_, is_named)| *is_named) {
            let expected = "expected the sockets or the option";
            return Err((Exit::Usage, format!("{option} with sockets given by LISTEN_FDS: {expected}, not both")));
        }
        let failed = |error| (Exit::System, format!("cannot listen on the sockets of LISTEN_FDS: {error}"));
        let listeners = TcpListeners::from_std(given).map_err(failed)?;
        let addresses = listeners.local_addrs().map_err(failed)?;
        Ok((listeners, addresses))
    }

    fn shares_port(&self) -> bool {
        #[cfg(unix)]
        return self.reuse_port;
        #[cfg(not(unix))]
        false
    }

    fn level(&self) -> Level {
        match (self.silent, self.verbose) {
            (true, _) => Level::WARN,
            (false, true) => Level::DEBUG,
            (false, false) => Level::INFO,
        }
    }

    fn config(&self) -> Result<ServerConfig, Failure> {
        // First: the threads open files, too.
        let cores = self.threads.map(Cores::start).transpose();
        let cores = cores.map_err(|error| (Exit::System, format!("cannot start the threads: {error}")))?;
        let refusals = ServerConfig::default().max_refusals;
        let reserved = self.metrics.as_ref().map_or(0, |_| metrics::FILES);
        let (max_connections, max_refusals) =
            limits::fit(self.max_connections, refusals, reserved).map_err(|error| (Exit::System, error))?;
        let mut config = ServerConfig::default();
        config.connection = self.connection.config();
        config.connection.quiet = self.quiet;
        config.connection.first_fin = match self.first_fin {
            FirstFin::Client => Role::Client,
            FirstFin::Server => Role::Server,
        };
        config.clock = if self.utc { Clock::utc() } else { Clock::local() };
        config.cores = cores;
        config.max_connections = max_connections;
        config.max_refusals = max_refusals;
        config.max_memory = self.max_memory.saturating_mul(MEBIBYTE);
        match config.least_memory() {
            least if least > config.max_memory => {
                let (given, limit, least) = (self.max_memory, config.connection.limit, least.div_ceil(MEBIBYTE));
                let expected = format!("expected at least {least}, or a smaller --max-message");
                Err((
                    Exit::Usage,
                    format!("--max-memory {given} is too little for messages of {limit} bytes: {expected}"),
                ))
            }
            _ => Ok(config),
        }
    }
}

/// Where the server listens.
struct Listening {
    listeners: TcpListeners,
    addresses: Vec<SocketAddr>,
    metrics: Option<TcpListeners>,
}

/// Why the server cannot start.
type Failure = (Exit, String);

/// Listens at all addresses of the value of an option, and returns them.
async fn listen(
    option: &str,
    given: &str,
    default_port: u16,
    shared: bool,
) -> Result<(TcpListeners, Vec<SocketAddr>), Failure> {
    let address =
        address::parse_listen(given, default_port).map_err(|error| (Exit::Usage, format!("{option} {error}")))?;
    let failed = |error: std::io::Error| {
        let (address, error) = (address::shown(&address), error.to_string());
        (Exit::System, format!("cannot listen on {address}: {}", address::without(&address, &error)))
    };
    let listeners = bind((&*address.0, address.1), shared).await.map_err(failed)?;
    let addresses = listeners.local_addrs().map_err(failed)?;
    Ok((listeners, addresses))
}

async fn bind(address: (&str, u16), shared: bool) -> std::io::Result<TcpListeners> {
    #[cfg(unix)]
    if shared {
        return TcpListeners::bind_shared(address).await;
    }
    #[cfg(not(unix))]
    debug_assert!(!shared, "there is no option for it");
    TcpListeners::bind(address).await
}

/// Writes the report as JSON. Returns what failed.
fn write_report(path: &Path, report: &Report) -> Result<(), String> {
    let written = serde_json::to_string_pretty(report)
        .map_err(std::io::Error::from)
        .and_then(|json| std::fs::write(path, json + "\n"));
    written.map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// How serving ended.
enum Served {
    /// Every connection has ended.
    Drained(Report),
    /// A second signal aborted connections.
    Aborted(Report),
    /// A signal arrived before the server listened.
    Nothing,
}

/// Serves until the first signal, then drains. A second signal aborts. `given` are the sockets to listen on; if there are
/// none, the arguments name the addresses.
pub(crate) async fn run(arguments: Arguments, given: Vec<TcpListener>) -> ExitCode {
    let (log, out) = (Lines::to_stderr(), Lines::to_stdout());
    log.take_log(arguments.level(), arguments.log_format);
    let served = serve(&arguments, given, &out).await;
    // The report must follow the last line of the log, if both go to the same place.
    let until = Instant::now() + STALLED;
    let lost = match log.finish(until) {
        0 => String::new(),
        lost => format!(", {lost} lines of the log not written"),
    };
    let (report, aborted) = match served {
        Ok(Served::Drained(report)) => (report, false),
        Ok(Served::Aborted(report)) => (report, true),
        Ok(Served::Nothing) => return Exit::Clean.into(),
        Err((exit, line)) => return fail(exit, &line),
    };
    out.say(&format!("served {report}{lost}"));
    let unreported = arguments.report.as_ref().and_then(|path| write_report(path, &report).err());
    let unwritten = match out.finish(until) {
        0 => None,
        _ if out.has_no_reader() => None,
        lost => Some(format!("{} of standard output not written", counted(lost, "line"))),
    };
    let aborted = aborted.then(|| "stopped by a second signal: connections were aborted".to_owned());
    let problems: Vec<_> = aborted.into_iter().chain(unwritten).chain(unreported).collect();
    if problems.is_empty() {
        Exit::Clean.into()
    } else {
        fail(Exit::NotClean, &format!("failed: {}", problems.join("; ")))
    }
}

async fn serve(arguments: &Arguments, given: Vec<TcpListener>, out: &Lines) -> Result<Served, Failure> {
    let tls = arguments.tls.load()?;
    let mut config = arguments.config()?;
    return_free_memory();
    let signals = Signals::listen().map_err(|error| (Exit::System, format!("cannot wait for signals: {error}")))?;
    if config.max_connections < arguments.max_connections {
        let (fit, asked) = (config.max_connections, arguments.max_connections);
        warn!(
            "at most {fit} connections at once instead of {asked}: the limit of open files (ulimit -Hn) allows no more"
        );
    }
    let listening = tokio::select! { biased;
        _ = signals.reached(1) => return Ok(Served::Nothing),
        listening = arguments.listen(given, out) => listening?,
    };
    let listener = listening.listeners;
    // A service manager that does not listen delays neither the connections nor the drain.
    #[cfg(target_os = "linux")]
    let notified = tokio::spawn(notify::tell(listening.addresses, signals.clone()));
    // Metrics are offered until this function returns, in a drain, too.
    let mut metrics_task = JoinSet::new();
    if let Some(listener) = listening.metrics {
        let metrics = Metrics::default();
        config.metrics = Some(metrics.clone());
        metrics_task.spawn(metrics::serve(listener, metrics));
    }
    let aborted = AtomicBool::new(false);
    let abort = async {
        signals.reached(2).await;
        aborted.store(true, Ordering::Relaxed);
    };
    let shutdown = async {
        signals.reached(1).await;
    };
    let report = match (tls, arguments.accept_proxy) {
        (None, false) => serve_until(listener, Echo, config, shutdown, abort).await,
        (None, true) => serve_until(AcceptProxy(listener), Echo, config, shutdown, abort).await,
        (Some(tls), false) => serve_until(TlsListener::new(listener, tls), Echo, config, shutdown, abort).await,
        (Some(tls), true) => {
            serve_until(TlsListener::new(AcceptProxy(listener), tls), Echo, config, shutdown, abort).await
        }
    };
    // The first signal was received, so it ends soon, and it does not panic.
    #[cfg(target_os = "linux")]
    let _ = notified.await;
    Ok(if aborted.into_inner() { Served::Aborted(report) } else { Served::Drained(report) })
}
