//! Connecting by TCP: every resolved address, within one deadline.

use crate::transport::prepare;
use echo_core::{Deadline, Outcome};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpStream, ToSocketAddrs, lookup_host};
use tokio::time::{Instant, timeout_at};

/// Why there is no conversation.
#[derive(Debug)]
pub enum ConnectError {
    /// The name does not resolve.
    Resolve(io::Error),
    /// No address accepted: each with its reason.
    Refused(Vec<(SocketAddr, io::Error)>),
    /// The connect deadline passed: what it was, and the addresses tried without an answer so far.
    TimedOut(Duration, Vec<SocketAddr>),
    /// Something accepted, and the conversation ended before the server's preface: a mirror, a plain-only server, a
    /// server that stays silent.
    Ended(Outcome),
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolve(error) => write!(f, "the name does not resolve: {error}"),
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
                    write!(f, "connected, but the server did not say that it speaks echo/1 in time")
                }
                echo_core::End::Violation(violation) => {
                    write!(f, "connected, but there is no echo/1 server: {violation}")
                }
                end => write!(f, "connected, but the conversation ended before it began: {end}"),
            },
        }
    }
}

impl std::error::Error for ConnectError {}

/// The reason without the system's number behind it.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((text, _)) => text.to_owned(),
        None => text,
    }
}

/// Connects to the first of the resolved addresses that accepts, in the resolver's order, within `whole`.
///
/// Each address gets its share of the time that is left, so that one that swallows packets does not hide the next.
///
/// # Errors
/// [`ConnectError`], but never [`ConnectError::Ended`].
pub async fn connect_tcp(address: impl ToSocketAddrs, whole: Duration) -> Result<TcpStream, ConnectError> {
    let now = Instant::now();
    let deadline = now.checked_add(whole).unwrap_or(now + Duration::from_secs(86_400));
    let resolved = timeout_at(deadline, lookup_host(address)).await;
    let resolved = resolved.map_err(|_| ConnectError::TimedOut(whole, Vec::new()))?;
    let addresses: Vec<_> = resolved.map_err(ConnectError::Resolve)?.collect();
    let (mut refused, mut silent) = (Vec::new(), Vec::new());
    for (at, address) in addresses.iter().enumerate() {
        let share = (deadline - Instant::now()) / u32::try_from(addresses.len() - at).unwrap_or(u32::MAX);
        match timeout_at(Instant::now() + share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => match prepare(&stream) {
                Ok(()) => return Ok(stream),
                Err(error) => refused.push((*address, error)),
            },
            Ok(Err(error)) => refused.push((*address, error)),
            Err(_) => silent.push(*address),
        }
    }
    match silent.is_empty() {
        true => Err(ConnectError::Refused(refused)),
        false => Err(ConnectError::TimedOut(whole, silent)),
    }
}
