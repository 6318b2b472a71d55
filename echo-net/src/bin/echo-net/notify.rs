//! Tells the service manager that the server is ready, and that it drains, by the protocol of systemd (sd_notify(3)).

use crate::signals::Signals;
use crate::standard::STALLED;
use std::env;
use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net;
use tokio::net::UnixDatagram;
use tokio::time::timeout;
use tracing::warn;

/// Tells the service manager that the server listens, and after the first signal that it drains. It does nothing if
/// `NOTIFY_SOCKET` is not set. What cannot be told is logged.
///
/// Each message waits at most [`STALLED`] for the service manager.
pub(crate) async fn tell(addresses: Vec<SocketAddr>, signals: Signals) {
    let Some(socket) = env::var_os("NOTIFY_SOCKET") else { return };
    let addresses: Vec<_> = addresses.iter().map(SocketAddr::to_string).collect();
    let ready = format!("READY=1\nSTATUS=listening on {}\n", addresses.join(", "));
    try_send(&socket, &ready).await;
    signals.reached(1).await;
    try_send(&socket, "STOPPING=1\nSTATUS=draining\n").await;
}

async fn try_send(socket: &OsStr, message: &str) {
    if let Err(error) = send(socket, message).await {
        let state = message.split('\n').next().unwrap_or_default();
        warn!("cannot send {state} to NOTIFY_SOCKET {}: {error}", socket.display());
    }
}

async fn send(socket: &OsStr, message: &str) -> io::Result<()> {
    let to = match socket.as_bytes().strip_prefix(b"@") {
        Some(name) => net::SocketAddr::from_abstract_name(name),
        None => net::SocketAddr::from_pathname(socket),
    }?;
    let datagram = net::UnixDatagram::unbound()?;
    datagram.set_nonblocking(true)?;
    datagram.connect_addr(&to)?;
    let datagram = UnixDatagram::from_std(datagram)?;
    match timeout(STALLED, datagram.send(message.as_bytes())).await {
        Ok(sent) => sent.map(drop),
        Err(_) => Err(io::Error::new(ErrorKind::TimedOut, "the service manager reads nothing")),
    }
}
