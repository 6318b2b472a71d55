//! `echo-net connect`.

use crate::address;
use crate::answer::Show;
use crate::exit::{Exit, fail, killed, say};
use crate::options::{ConnectionOptions, ServerOptions};
use crate::piped::Options;
use crate::signals::{Signal, Signals};
use crate::tls::{ClientTls, connect_client};
use crate::{piped, plain, prompt};
use clap::Args;
use echo_net::echo_core::{End, Outcome, PeerProtocol};
use echo_net::{ClientConfig, ConnectError, TlsError, Transport, connect_tcp};
use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

/// The command line of `connect`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    server: ServerOptions,

    /// Use the plain wire, for a server without the framed wire
    #[arg(long, conflicts_with_all = ["json", "ping"])]
    plain: bool,

    /// Write each answer as a line of JSON (seq; text, or hex if it is not UTF-8; t1 to t4 in ns since 1970; delay_ns),
    /// and the end of the conversation as the last line (end, code, detail; answered, refused, unknown; latency in us).
    /// Read lines from standard input, even from a terminal
    #[arg(long)]
    json: bool,

    /// Do not report how the conversation ended, unless there was a problem
    #[arg(short = 'q', long)]
    silent: bool,

    /// Send an empty message (counted in the account) after this time without a message: a dead server is noticed after
    /// this time and the answer deadline, instead of the idle deadline
    #[arg(long, value_name = "TIME", value_parser = crate::units::some_seconds)]
    ping: Option<Duration>,

    #[command(flatten)]
    connection: ConnectionOptions,
}

impl Arguments {
    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::default();
        config.connection = match self.plain {
            true => self.connection.plain_config(),
            false => self.connection.config(),
        };
        config
    }

    fn show(&self) -> Show {
        match (self.json, self.silent) {
            (true, _) => Show::Json,
            (false, true) => Show::Quiet,
            (false, false) => Show::Text,
        }
    }

    /// Returns whether to show a prompt: standard input and output are a terminal on which a line can be edited.
    fn is_person(&self) -> bool {
        let can_edit = std::env::var("TERM").is_ok_and(|term| !["dumb", "cons25", "emacs"].contains(&term.as_str()));
        !self.json && can_edit && std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
    }
}

/// Connects and runs a conversation: at a prompt if there is a terminal, otherwise from standard input to standard
/// output.
pub(crate) async fn run(arguments: Arguments) -> ExitCode {
    let signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => return fail(Exit::System, &format!("cannot wait for signals: {error}")),
    };
    let server = match arguments.server.parse() {
        Ok(server) => server,
        Err(error) => return fail(Exit::Usage, &error),
    };
    let tls = match arguments.server.tls.load(&server.0) {
        Ok(tls) => tls,
        Err((exit, error)) => return fail(exit, &error),
    };
    let talked = match arguments.plain {
        true => plainly(&arguments, &server, tls, &signals).await,
        false => framed(&arguments, &server, tls, &signals).await,
    };
    let server = address::shown(&server);
    match talked {
        Ok(exit) => exit,
        Err(NotConnected::Stopped(signal)) => {
            say(&format!("failed: stopped by {signal} before {server} answered"));
            killed(signal)
        }
        Err(NotConnected::Failed(error)) => cannot_connect(&server, &error, "try --plain"),
    }
}

/// A host and a port.
type Server = (String, u16);

/// Why there was no conversation.
enum NotConnected {
    /// A signal came before the server was reached.
    Stopped(Signal),
    Failed(ConnectError),
}

async fn framed(
    arguments: &Arguments,
    server: &Server,
    tls: Option<ClientTls>,
    signals: &Signals,
) -> Result<ExitCode, NotConnected> {
    let config = arguments.config();
    let client = unless_stopped(signals, connect_client((&*server.0, server.1), tls, config)).await?;
    let options = Options { show: arguments.show(), ping: arguments.ping.unwrap_or(Duration::MAX) };
    Ok(match arguments.is_person() {
        true => prompt::run(client, &address::shown(server), options, signals.clone()).await,
        false => piped::run(client, config.connection.limit, options, signals.clone()).await,
    })
}

async fn plainly(
    arguments: &Arguments,
    server: &Server,
    tls: Option<ClientTls>,
    signals: &Signals,
) -> Result<ExitCode, NotConnected> {
    let address = (&*server.0, server.1);
    let whole = arguments.config().connection.deadlines.connect;
    Ok(match tls {
        Some(tls) => {
            let stream = unless_stopped(signals, tls.connect(address, whole)).await?;
            talk_plainly(stream, arguments, server, signals).await
        }
        None => {
            let stream = unless_stopped(signals, connect_tcp(address, whole)).await?;
            talk_plainly(stream, arguments, server, signals).await
        }
    })
}

async fn talk_plainly(stream: impl Transport, arguments: &Arguments, server: &Server, signals: &Signals) -> ExitCode {
    let (config, show, signals) = (arguments.config(), arguments.show(), signals.clone());
    match arguments.is_person() {
        true => plain::at_prompt(stream, config, &address::shown(server), show, signals).await,
        false => plain::from_pipe(stream, config, show, signals).await,
    }
}

async fn unless_stopped<T>(
    signals: &Signals,
    connecting: impl Future<Output = Result<T, ConnectError>>,
) -> Result<T, NotConnected> {
    tokio::select! { biased;
        signal = signals.reached(1) => Err(NotConnected::Stopped(signal)),
        connected = connecting => connected.map_err(NotConnected::Failed),
    }
}

/// Prints why there is no conversation, with `plainly` as the advice for a plain echo server. Returns the exit code.
pub(crate) fn cannot_connect(server: &str, error: &ConnectError, plainly: &str) -> ExitCode {
    let (exit, hint) = match error {
        ConnectError::Resolve(_)
        | ConnectError::Refused(_)
        | ConnectError::TimedOut(..)
        | ConnectError::Transport(_) => (Exit::System, String::new()),
        ConnectError::Ended(Outcome { end: End::Violation(violation), .. })
            if violation.peer == Some(PeerProtocol::PlainEcho) =>
        {
            (Exit::WrongServer, format!(" ({plainly})"))
        }
        ConnectError::Ended(Outcome { end: End::Violation(violation), .. })
            if violation.peer == Some(PeerProtocol::Tls) =>
        {
            (Exit::WrongServer, " (try --tls)".to_owned())
        }
        ConnectError::Tls(TlsError::NotTls(_)) => (Exit::WrongServer, " (try without --tls)".to_owned()),
        ConnectError::Tls(_) => (Exit::System, String::new()),
        ConnectError::Ended(Outcome { end: End::Violation(_) | End::TimedOut(_), .. }) => {
            (Exit::WrongServer, String::new())
        }
        ConnectError::Ended(_) | _ => (Exit::NotClean, String::new()),
    };
    // If the user gave an address, the message must name it only once.
    let error = address::without(server, &error.to_string()).replace(&format!(" ({server})"), "");
    fail(exit, &format!("cannot talk to {server}: {error}{hint}"))
}
