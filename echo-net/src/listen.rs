//! Listening by TCP, with room for a burst.

use std::io;
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpSocket, ToSocketAddrs, lookup_host};

/// So many connections the system may hold that have not been accepted yet, or as many as it allows (on Linux
/// `net.core.somaxconn`, 4096 by default).
///
/// The 128 of [`TcpListener::bind`] overflow with a few hundred clients at once. Then Linux drops a client's packets,
/// so that it tries again after 1 s and 3 s, or answers with SYN cookies, with which the client's first bytes can be
/// lost.
const BACKLOG: u32 = 4096;

/// Listens at the first of the resolved addresses where that is possible. The address can be used again at once after
/// the server's end (`SO_REUSEADDR`), as with [`TcpListener::bind`].
///
/// # Errors
/// The name does not resolve, or the last error of an address.
pub async fn listen_tcp(address: impl ToSocketAddrs) -> io::Result<TcpListener> {
    let mut last = io::Error::new(io::ErrorKind::AddrNotAvailable, "the name resolves to no address");
    for address in lookup_host(address).await? {
        match listen_at(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn listen_at(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // On Windows the option means something else.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
