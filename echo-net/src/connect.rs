//! Connecting by TCP to the resolved addresses, within one deadline.

use crate::transport::prepare;
use echo_core::{Deadline, Outcome};
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpStream, ToSocketAddrs, lookup_host};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};

/// Why a connection failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// The name does not resolve.
    Resolve(io::Error),
    /// No address accepted: each address with its error.
    Refused(Vec<(SocketAddr, io::Error)>),
    /// The connect deadline passed: its length, and the tried addresses without an answer.
    TimedOut(Duration, Vec<SocketAddr>),
    /// A server accepted, and the conversation ended before its preface: the peer is no echo/1 server, or sends nothing. A
    /// server without a free connection is not among these: it sends its preface, and refuses the first request.
    Ended(Outcome),
    /// A server accepted, and the TLS handshake failed.
    #[cfg(feature = "tls")]
    Tls(crate::tls::TlsError),
    /// A transport that this crate does not connect, such as a Unix socket, could not connect.
    Transport(io::Error),
}

#[cfg(feature = "tls")]
impl From<crate::tls::TlsError> for ConnectError {
    fn from(error: crate::tls::TlsError) -> Self {
        Self::Tls(error)
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolve(error) => write!(f, "the name does not resolve: {}", reason(error)),
            Self::Refused(tried) if tried.is_empty() => write!(f, "the name resolves to no address"),
            Self::Refused(tried) => {
                for (at, (address, error)) in tried.iter().enumerate() {
                    write!(f, "{}{address}: {}", if at == 0 { "" } else { "; " }, reason(error))?;
                }
                Ok(())
            }
            Self::TimedOut(whole, tried) => {
                let tried: Vec<_> = tried.iter().map(SocketAddr::to_string).collect();
                write!(f, "no answer within {whole:?} ({})", tried.join(", "))
            }
            Self::Ended(outcome) => match &outcome.end {
                echo_core::End::TimedOut(Deadline::Connect) => {
                    write!(f, "connected, but the server sent no echo/1 preface in time")
                }
                echo_core::End::Violation(violation) => {
                    write!(f, "connected, but this is not an echo/1 server: {violation}")
                }
                end => write!(f, "connected, but the conversation ended before the server's preface: {end}"),
            },
            #[cfg(feature = "tls")]
            Self::Tls(error) => write!(f, "connected, but {error}"),
            Self::Transport(error) => f.write_str(&reason(error)),
        }
    }
}

impl std::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // The causes that it holds are parts of its own text.
        match self {
            Self::Resolve(error) | Self::Transport(error) => error.source(),
            Self::Refused(_) | Self::TimedOut(..) | Self::Ended(_) => None,
            #[cfg(feature = "tls")]
            Self::Tls(error) => error.source(),
        }
    }
}

/// Returns the error's text without the system's error number.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((text, _)) => text.to_owned(),
        None => text,
    }
}

/// An attempt runs alone this long before the next address is tried in parallel (RFC 8305 section 5).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Connects to the first of the resolved addresses that accepts, within `whole`.
///
/// The addresses are tried in the resolver's order, alternating between families. The next attempt starts when one has
/// failed, or in parallel after 250 ms (RFC 8305, "Happy Eyeballs"). So an address that drops packets costs little
/// time.
///
/// # Panics
/// If it is not called in a tokio runtime.
///
/// # Errors
/// Returns [`ConnectError::Resolve`], [`ConnectError::Refused`] or [`ConnectError::TimedOut`].
pub async fn connect_tcp(address: impl ToSocketAddrs, whole: Duration) -> Result<TcpStream, ConnectError> {
    let now = Instant::now();
    let deadline = now.checked_add(whole).unwrap_or(now + Duration::from_secs(86_400));
    let resolved = timeout_at(deadline, lookup_host(address)).await;
    let resolved = resolved.map_err(|_| ConnectError::TimedOut(whole, Vec::new()))?;
    let mut left: VecDeque<_> = in_turns(resolved.map_err(ConnectError::Resolve)?.collect()).into();
    let (mut attempts, mut tried, mut refused) = (JoinSet::new(), Vec::new(), Vec::new());
    loop {
        if let Some(address) = left.pop_front() {
            tried.push(address);
            attempts.spawn(async move { (address, attempt(address).await) });
        }
        if attempts.is_empty() {
            return Err(ConnectError::Refused(refused));
        }
        let next = Instant::now() + ATTEMPT_DELAY;
        tokio::select! { biased;
            Some(Ok((address, done))) = attempts.join_next() => match done {
                Ok(stream) => return Ok(stream),
                Err(error) => refused.push((address, error)),
            },
            () = sleep_until(deadline) => {
                tried.retain(|address| refused.iter().all(|(other, _)| other != address));
                return Err(ConnectError::TimedOut(whole, tried));
            }
            () = sleep_until(next), if !left.is_empty() => (),
        }
    }
}

async fn attempt(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    prepare(&stream)?;
    Ok(stream)
}

/// Sorts addresses so that families alternate, starting with the first one's (RFC 8305 section 4).
fn in_turns(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let is_first_v4 = addresses.first().is_some_and(SocketAddr::is_ipv4);
    let (mut first, mut second) = (VecDeque::new(), VecDeque::new());
    for address in addresses {
        if address.is_ipv4() == is_first_v4 { first.push_back(address) } else { second.push_back(address) }
    }
    let mut all = Vec::new();
    while !first.is_empty() || !second.is_empty() {
        all.extend(first.pop_front().into_iter().chain(second.pop_front()));
    }
    all
}
