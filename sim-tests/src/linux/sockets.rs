//! The TCP states of sockets, as the kernel shows them by `sock_diag`: also those without a process, and in TIME-WAIT.

use crate::tcp::TcpState;
use netlink_packet_core::{NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_sock_diag::SockDiagMessage;
use netlink_packet_sock_diag::constants::{
    AF_INET, IPPROTO_TCP, TCP_CLOSE_WAIT, TCP_CLOSING, TCP_ESTABLISHED, TCP_FIN_WAIT1, TCP_FIN_WAIT2, TCP_LAST_ACK,
    TCP_LISTEN, TCP_SYN_RECV, TCP_SYN_SENT, TCP_TIME_WAIT,
};
use netlink_packet_sock_diag::inet::{ExtensionFlags, InetRequest, SocketId, StateFlags};
use netlink_sys::protocols::NETLINK_SOCK_DIAG;
use netlink_sys::{Socket, SocketAddr};
use std::io;
use std::net::{IpAddr, SocketAddrV4};
use std::time::Duration;

/// A request socket: SYN and its answer were sent, and no program has the connection yet (`TCP_NEW_SYN_RECV`).
const NEW_SYN_RECV: u8 = 12;
/// A kernel's answer about one socket is shorter.
const ANSWER: usize = 4096;

/// Two sockets of one connection, by their addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SocketPair {
    /// The client's address.
    pub client: SocketAddrV4,
    /// The server's address.
    pub server: SocketAddrV4,
}

/// Asks the kernel for the states of sockets of this network namespace.
#[derive(Debug)]
pub struct SocketStates(Socket);

impl SocketStates {
    /// Opens the connection to the kernel. It needs no privilege.
    ///
    /// # Errors
    /// The kernel has no `sock_diag` for TCP.
    pub fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_SOCK_DIAG)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self(socket))
    }

    /// Returns the states of a connection's sockets now, the client's first. A socket that does not exist is
    /// [`TcpState::Closed`], or [`TcpState::Listen`] if one listens at its address.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub fn of(&self, pair: SocketPair) -> io::Result<[TcpState; 2]> {
        Ok([self.state(pair.client, pair.server)?, self.state(pair.server, pair.client)?])
    }

    /// Returns the time until the timer of the socket with these addresses expires, and removes the socket or sends
    /// something again; `None` if there is no such socket or timer.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub fn timer(&self, local: SocketAddrV4, remote: SocketAddrV4) -> io::Result<Option<Duration>> {
        /// Where `struct inet_diag_msg` (linux/inet_diag.h) has `idiag_timer` and `idiag_expires`, after the header. The
        /// parser keeps no time for a socket in TIME-WAIT.
        const TIMER: usize = 16 + 2;
        const EXPIRES: usize = 16 + 52;
        let answer = self.ask(local, remote)?;
        if parse(&answer)? == TcpState::Closed {
            return Ok(None);
        }
        let expires = answer.get(EXPIRES..EXPIRES + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_ne_bytes);
        let runs = answer.get(TIMER).is_some_and(|timer| *timer != 0);
        Ok(expires.filter(|_| runs).map(|millis| Duration::from_millis(millis.into())))
    }

    fn state(&self, local: SocketAddrV4, remote: SocketAddrV4) -> io::Result<TcpState> {
        parse(&self.ask(local, remote)?)
    }

    /// Asks about one socket. Returns the kernel's message.
    fn ask(&self, local: SocketAddrV4, remote: SocketAddrV4) -> io::Result<Vec<u8>> {
        let request = request(local, remote);
        let mut bytes = vec![0; request.buffer_len()];
        request.serialize(&mut bytes);
        self.0.send(&bytes, 0)?;
        let mut answer = Vec::with_capacity(ANSWER);
        self.0.recv(&mut answer, 0)?;
        Ok(answer)
    }
}

/// Returns the state in the kernel's answer about one socket.
fn parse(answer: &[u8]) -> io::Result<TcpState> {
    let answer = NetlinkMessage::<SockDiagMessage>::deserialize(answer).map_err(io::Error::other)?;
    match answer.payload {
        NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(socket)) => Ok(state(socket.header.state)),
        // There is no such socket.
        NetlinkPayload::Error(error) if error.to_io().kind() == io::ErrorKind::NotFound => Ok(TcpState::Closed),
        NetlinkPayload::Error(error) => Err(error.to_io()),
        other => Err(io::Error::other(format!("sock_diag: {other:?}"))),
    }
}

fn request(local: SocketAddrV4, remote: SocketAddrV4) -> NetlinkMessage<SockDiagMessage> {
    let socket_id = SocketId {
        source_port: local.port(),
        destination_port: remote.port(),
        source_address: IpAddr::V4(*local.ip()),
        destination_address: IpAddr::V4(*remote.ip()),
        interface_id: 0,
        // Any.
        cookie: [0xff; 8],
    };
    let request = InetRequest {
        family: AF_INET,
        protocol: IPPROTO_TCP,
        extensions: ExtensionFlags::empty(),
        states: StateFlags::all(),
        socket_id,
    };
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST;
    let mut message = NetlinkMessage::new(header, SockDiagMessage::InetRequest(request).into());
    message.finalize();
    message
}

fn state(state: u8) -> TcpState {
    match state {
        TCP_ESTABLISHED => TcpState::Established,
        TCP_SYN_SENT => TcpState::SynSent,
        TCP_SYN_RECV | NEW_SYN_RECV => TcpState::SynReceived,
        TCP_FIN_WAIT1 => TcpState::FinWait1,
        TCP_FIN_WAIT2 => TcpState::FinWait2,
        TCP_TIME_WAIT => TcpState::TimeWait,
        TCP_CLOSE_WAIT => TcpState::CloseWait,
        TCP_LAST_ACK => TcpState::LastAck,
        TCP_CLOSING => TcpState::Closing,
        TCP_LISTEN => TcpState::Listen,
        _ => TcpState::Closed,
    }
}
