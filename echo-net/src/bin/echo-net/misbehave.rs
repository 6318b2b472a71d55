//! `echo-net misbehave`.

use crate::exit::{Exit, fail};
use crate::options::ConnectionOptions;
use clap::{Args, ValueEnum};
use echo_net::misbehave::{Kind, Load, Wire, run as run_attack};
use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;
use tokio::net::lookup_host;

/// The command line of `misbehave`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The kind of misbehaviour; `--list` shows all kinds
    #[arg(required_unless_present = "list", value_parser = kind)]
    kind: Option<Kind>,

    /// The server, HOST:PORT
    #[arg(required_unless_present = "list", value_name = "HOST:PORT")]
    server: Option<String>,

    /// List each kind with what it does, and exit
    #[arg(long, exclusive = true)]
    list: bool,

    /// Number of concurrent connections; when one ends, another one follows [default: depends on the kind]
    #[arg(long, value_name = "COUNT")]
    connections: Option<usize>,

    /// Duration of the attack; afterwards the server has up to ten seconds to send what it still owes
    #[arg(long, value_name = "SECONDS", default_value_t = 3.0, value_parser = seconds)]
    seconds: f64,

    /// The wire, for kinds that work on both
    #[arg(long, value_enum)]
    wire: Option<WireName>,

    /// Allow a server that is not on this machine's loopback
    #[arg(long)]
    i_own_this_server: bool,

    #[command(flatten, next_help_heading = "Options of the server")]
    server_options: ConnectionOptions,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum WireName {
    Framed,
    Plain,
}

impl From<WireName> for Wire {
    fn from(name: WireName) -> Self {
        match name {
            WireName::Framed => Self::Framed,
            WireName::Plain => Self::Plain,
        }
    }
}

fn kind(id: &str) -> Result<Kind, String> {
    id.parse().map_err(|error| format!("{error}; --list shows all kinds"))
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if Duration::try_from_secs_f64(seconds).is_ok_and(|length| length.as_secs() <= 86_400) => {
            Ok(seconds)
        }
        Ok(_) | Err(_) => Err("expected a number of seconds, at most a day".to_owned()),
    }
}

/// Runs one kind, prints the report, and checks it.
pub(crate) async fn run(arguments: Arguments) -> ExitCode {
    let (Some(kind), Some(server)) = (arguments.kind, &arguments.server) else {
        return list();
    };
    let wire = arguments.wire.map_or(kind.wires()[0], Wire::from);
    if !kind.wires().contains(&wire) {
        return fail(Exit::Usage, &format!("{kind} does not work on the {wire} wire"));
    }
    let address = match resolve(server, arguments.i_own_this_server).await {
        Ok(address) => address,
        Err((exit, line)) => return fail(exit, &line),
    };
    let given = arguments.server_options.config();
    let mut load = Load::of(kind);
    load.connections = arguments.connections.unwrap_or(load.connections);
    load.duration = Duration::from_secs_f64(arguments.seconds);
    load.wire = wire;
    load.payload_limit = given.limit;
    load.deadlines = given.deadlines;
    if load.connections == 0 {
        return fail(Exit::Usage, "--connections is 0: expected at least 1");
    }
    let report = run_attack(kind, address, load).await;
    say(&report.to_string());
    if report.connected == 0 {
        return fail(Exit::System, &format!("cannot connect to {address}"));
    }
    for (ending, count) in report.not_allowed() {
        let line = format!("{count} connections got {ending}: expected {}", kind.must_get());
        crate::exit::say(&line);
    }
    if report.is_allowed() { Exit::Clean.into() } else { Exit::NotClean.into() }
}

fn list() -> ExitCode {
    let widest = Kind::ALL.iter().map(|kind| kind.id().len()).max().unwrap_or_default();
    for kind in Kind::ALL {
        say(&format!("{:widest$}  {}", kind.id(), kind.summary()));
    }
    Exit::Clean.into()
}

/// Returns the server's first address. It must be on loopback, unless `owned`.
async fn resolve(server: &str, owned: bool) -> Result<SocketAddr, (Exit, String)> {
    let found = match lookup_host(server).await {
        Ok(found) => found.collect::<Vec<_>>(),
        Err(error) => return Err((Exit::System, format!("cannot find {server}: {error}"))),
    };
    let Some(address) = found.first() else {
        return Err((Exit::System, format!("cannot find {server}: it has no address")));
    };
    if !owned && !found.iter().all(|address| address.ip().to_canonical().is_loopback()) {
        let line = format!(
            "{server} is not on loopback: only the owner of a server may attack it; \
             use --i-own-this-server if you own it"
        );
        return Err((Exit::Usage, line));
    }
    Ok(*address)
}

/// Prints a line to standard output. A failed write is ignored.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
