//! What to do, checked.

use super::{Arguments, Failure};
use crate::address;
use crate::exit::Exit;
use crate::tls::ClientTls;
use echo_net::ClientConfig;
use std::net::SocketAddr;
use std::num::NonZero;
use std::thread::available_parallelism;
use std::time::Duration;
use tokio::net::lookup_host;

/// The load, and where it goes.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// The server as the user named it.
    pub(super) name: String,
    pub(super) server: SocketAddr,
    pub(super) is_own: bool,
    pub(super) tls: Option<ClientTls>,
    pub(super) config: ClientConfig,
    pub(super) is_plain: bool,
    pub(super) connections: usize,
    pub(super) threads: usize,
    pub(super) pace: Pace,
    /// The message.
    pub(super) payload: Vec<u8>,
    pub(super) warm_up: Duration,
    pub(super) time: Duration,
}

/// When a request is sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Pace {
    /// While fewer than this many requests are unanswered on the connection.
    Closed { unanswered: usize },
    /// At a rate per second, over all connections.
    Open { rate: usize },
    /// One in each conversation.
    Short,
}

impl Plan {
    /// Checks the command line. `own` is the address of the server of its own.
    pub(super) async fn new(arguments: &Arguments, own: Option<SocketAddr>) -> Result<Self, Failure> {
        let mut config = ClientConfig::default();
        config.connection = match arguments.plain {
            true => arguments.connection.plain_config(),
            false => arguments.connection.config(),
        };
        let (size, limit) = (arguments.size, config.connection.limit);
        if size > limit {
            return Err((Exit::Usage, format!("--size {size} is over --max-message, which is {limit}")));
        }
        if arguments.plain && size == 0 {
            return Err((Exit::Usage, "--size 0: a line has at least its newline".to_owned()));
        }
        let (name, server, tls) = match own {
            Some(_) if arguments.tls.is_asked_for() => {
                return Err((Exit::Usage, "--tls needs a server: its own one does not speak TLS".to_owned()));
            }
            Some(own) => (own.to_string(), own, None),
            None => {
                let given = arguments.server.as_deref().unwrap_or_default();
                let server = address::parse(given, arguments.port).map_err(|error| (Exit::Usage, error))?;
                (address::shown(&server), resolve(&server).await?, arguments.tls.load(&server.0)?)
            }
        };
        let pace = match (arguments.short, arguments.rate) {
            (true, _) => Pace::Short,
            (false, Some(rate)) => Pace::Open { rate },
            (false, None) => Pace::Closed { unanswered: arguments.unanswered },
        };
        let free = available_parallelism().map_or(1, NonZero::get).saturating_sub(usize::from(own.is_some()));
        Ok(Self {
            name,
            server,
            is_own: own.is_some(),
            tls,
            config,
            is_plain: arguments.plain,
            connections: arguments.connections,
            threads: arguments.threads.unwrap_or(free).clamp(1, arguments.connections),
            pace,
            payload: message(size, arguments.plain),
            warm_up: arguments.warm_up,
            time: arguments.time,
        })
    }

    pub(super) fn wire(&self) -> &'static str {
        if self.is_plain { "plain" } else { "framed" }
    }
}

async fn resolve(server: &(String, u16)) -> Result<SocketAddr, Failure> {
    let shown = address::shown(server);
    let mut found = lookup_host((&*server.0, server.1))
        .await
        .map_err(|error| (Exit::System, format!("cannot find {shown}: {error}")))?;
    match found.next() {
        Some(address) => Ok(address),
        None => Err((Exit::System, format!("cannot find {shown}: it has no address"))),
    }
}

/// Returns a message that can be read; on the plain wire with its newline.
fn message(size: usize, is_plain: bool) -> Vec<u8> {
    let mut message: Vec<u8> = (b'a'..=b'z').cycle().take(size).collect();
    if is_plain && let Some(last) = message.last_mut() {
        *last = b'\n';
    }
    message
}
