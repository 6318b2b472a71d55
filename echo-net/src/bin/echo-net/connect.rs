//! `echo-net connect`.

use crate::exit::{Exit, fail};
use crate::options::ConnectionOptions;
use crate::{piped, plain, prompt};
use clap::Args;
use echo_net::echo_core::{End, Outcome};
use echo_net::{Client, ClientConfig, ConnectError, connect_tcp};
use std::io::IsTerminal;
use std::process::ExitCode;

/// The command line of `connect`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The server; without a port, 2012
    #[arg(value_name = "HOST:PORT", default_value = "127.0.0.1:2012")]
    server: String,

    /// Speak plain lines, to a server that knows nothing else
    #[arg(long)]
    plain: bool,

    #[command(flatten)]
    connection: ConnectionOptions,
}

impl Arguments {
    fn config(&self) -> ClientConfig {
        let connection = match self.plain {
            true => self.connection.plain_config(),
            false => self.connection.config(),
        };
        ClientConfig { connection, ..ClientConfig::default() }
    }
}

/// Connects and talks: at a prompt if a person sits there, else from standard input to standard output.
pub(crate) async fn run(arguments: Arguments) -> ExitCode {
    let server = with_port(&arguments.server);
    let config = arguments.config();
    let person = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    if arguments.plain {
        let stream = match connect_tcp(&server, config.connection.deadlines.connect).await {
            Ok(stream) => stream,
            Err(error) => return cannot_connect(&server, &error),
        };
        return match person {
            true => plain::at_prompt(stream, config, &server).await,
            false => plain::from_pipe(stream, config).await,
        };
    }
    match Client::connect(&server, config).await {
        Ok(client) if person => prompt::run(client, &server).await,
        Ok(client) => piped::run(client, config.connection.limit).await,
        Err(error) => cannot_connect(&server, &error),
    }
}

fn cannot_connect(server: &str, error: &ConnectError) -> ExitCode {
    let (exit, hint) = match error {
        ConnectError::Resolve(_) | ConnectError::Refused(_) | ConnectError::TimedOut(..) => (Exit::System, ""),
        ConnectError::Ended(Outcome { end: End::Violation(violation), .. })
            if violation.got.ends_with("speaks the plain wire only") =>
        {
            (Exit::WrongServer, " (try --plain)")
        }
        ConnectError::Ended(Outcome { end: End::Violation(_) | End::TimedOut(_), .. }) => (Exit::WrongServer, ""),
        ConnectError::Ended(_) => (Exit::NotClean, ""),
    };
    fail(exit, &format!("cannot talk to {server}: {error}{hint}"))
}

/// `HOST`, `HOST:PORT`, `::1` and `[::1]:PORT` all name a server.
fn with_port(server: &str) -> String {
    let bare_ipv6 = server.matches(':').count() > 1 && !server.starts_with('[');
    if bare_ipv6 {
        format!("[{server}]:2012")
    } else if server.contains(':') && !server.ends_with(']') {
        server.to_owned()
    } else {
        format!("{server}:2012")
    }
}
