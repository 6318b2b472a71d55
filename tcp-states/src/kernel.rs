//! What the kernel shows of sockets by `sock_diag` (sock_diag(7)): also of those without a process, and in TIME-WAIT.

use crate::socket::{TcpSocket, Timer, TimerKind, Traffic};
use crate::state::TcpState;
use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_sock_diag::SockDiagMessage;
use netlink_packet_sock_diag::constants::{
    AF_INET, AF_INET6, IPPROTO_TCP, TCP_CLOSE, TCP_CLOSE_WAIT, TCP_CLOSING, TCP_ESTABLISHED, TCP_FIN_WAIT1,
    TCP_FIN_WAIT2, TCP_LAST_ACK, TCP_LISTEN, TCP_SYN_RECV, TCP_SYN_SENT, TCP_TIME_WAIT,
};
use netlink_packet_sock_diag::inet::nlas::Nla;
use netlink_packet_sock_diag::inet::{ExtensionFlags, InetRequest, InetResponse, SocketId, StateFlags};
use netlink_sys::protocols::NETLINK_SOCK_DIAG;
use netlink_sys::{Socket, SocketAddr as NetlinkAddr};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::time::Duration;

/// A request socket: SYN and its answer were sent, and no program has the connection yet (`TCP_NEW_SYN_RECV`).
const NEW_SYN_RECV: u8 = 12;
/// The kernel sends at most 32 KiB at a time (`netlink_dump` in net/netlink/af_netlink.c).
const PART: usize = 64 * 1024;
/// Length of the header of a netlink message; the next message begins at a multiple of 4 bytes.
const HEADER: usize = 16;
/// A dump of these addresses gives sockets of each family.
const ANY: [SocketAddr; 2] =
    [SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0), SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0)];

/// The connection to the kernel.
#[derive(Debug)]
pub struct Kernel {
    socket: Socket,
    answer: std::cell::RefCell<Vec<u8>>,
}

impl Kernel {
    /// Opens the connection. It needs no privilege.
    ///
    /// # Errors
    /// The kernel has no `sock_diag` for TCP.
    pub fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_SOCK_DIAG)?;
        socket.bind_auto()?;
        socket.connect(&NetlinkAddr::new(0, 0))?;
        let kernel = Self { socket, answer: Vec::with_capacity(PART).into() };
        // Asked for one socket, a kernel without it says that there is none.
        kernel.each(&[TcpState::Listen], |_| ())?;
        Ok(kernel)
    }

    /// Returns all sockets of this network namespace in one of `states`, IPv4 and IPv6, in the kernel's order. A socket
    /// that changes meanwhile may be there as it was or as it is.
    ///
    /// # Errors
    /// The kernel does not answer, or has no `sock_diag` for TCP.
    pub fn sockets(&self, states: &[TcpState]) -> io::Result<Vec<TcpSocket>> {
        let mut sockets = Vec::new();
        self.each(states, |socket| sockets.push(socket))?;
        Ok(sockets)
    }

    /// Calls `found` for each socket that [`sockets`](Self::sockets) would return.
    ///
    /// # Errors
    /// Those of [`sockets`](Self::sockets).
    pub fn each(&self, states: &[TcpState], mut found: impl FnMut(TcpSocket)) -> io::Result<()> {
        let bits = states.iter().fold(0, |bits, state| bits | 1 << number(*state));
        for any in ANY {
            self.ask(NLM_F_REQUEST | NLM_F_DUMP, any, any, StateFlags::from_bits_retain(bits))?;
            let mut answer = self.answer.borrow_mut();
            let mut is_over = false;
            while !is_over {
                answer.clear();
                self.socket.recv(&mut *answer, 0)?;
                is_over = read(&answer, &mut found)?;
            }
        }
        Ok(())
    }

    /// Returns the socket with these addresses, or the one that listens at `local`, if there is one.
    ///
    /// # Errors
    /// The kernel does not answer, or has no `sock_diag` for TCP.
    pub fn socket(&self, local: SocketAddr, remote: SocketAddr) -> io::Result<Option<TcpSocket>> {
        self.ask(NLM_F_REQUEST, local, remote, StateFlags::all())?;
        let mut answer = self.answer.borrow_mut();
        answer.clear();
        self.socket.recv(&mut *answer, 0)?;
        let mut found = None;
        match read(&answer, &mut |socket| found = Some(socket)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
            Ok(_) => Ok(found),
        }
    }

    fn ask(&self, flags: u16, local: SocketAddr, remote: SocketAddr, states: StateFlags) -> io::Result<()> {
        let socket_id = SocketId {
            source_port: local.port(),
            destination_port: remote.port(),
            source_address: local.ip(),
            destination_address: remote.ip(),
            interface_id: 0,
            // Any.
            cookie: [0xff; 8],
        };
        let family = if local.is_ipv4() { AF_INET } else { AF_INET6 };
        let request =
            InetRequest { family, protocol: IPPROTO_TCP, extensions: ExtensionFlags::INFO, states, socket_id };
        let mut header = NetlinkHeader::default();
        header.flags = flags;
        let mut message = NetlinkMessage::new(header, SockDiagMessage::InetRequest(request).into());
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.socket.send(&bytes, 0).map(drop)
    }
}

/// Reads the messages of one part of an answer. Returns whether it was the last part.
fn read(mut part: &[u8], found: &mut impl FnMut(TcpSocket)) -> io::Result<bool> {
    while part.len() >= HEADER {
        let message = NetlinkMessage::<SockDiagMessage>::deserialize(part).map_err(io::Error::other)?;
        let length = usize::try_from(message.header.length).map_err(io::Error::other)?;
        match message.payload {
            NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(answer)) => {
                found(socket(&answer, expires(part)));
            }
            // A kernel that has no sock_diag for TCP says so at the end of an empty answer.
            NetlinkPayload::Done(done) if done.code < 0 => return Err(io::Error::from_raw_os_error(-done.code)),
            NetlinkPayload::Done(_) => return Ok(true),
            NetlinkPayload::Error(error) => return Err(error.to_io()),
            other => return Err(io::Error::other(format!("sock_diag: {other:?}"))),
        }
        part = part.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(false)
}

fn socket(answer: &InetResponse, expires: Duration) -> TcpSocket {
    use netlink_packet_sock_diag::inet::Timer as Kind;
    let header = &answer.header;
    let id = &header.socket_id;
    let kind = header.timer.as_ref().map(|timer| match timer {
        Kind::Retransmit(..) => TimerKind::Retransmission,
        Kind::KeepAlive(_) => TimerKind::KeepAlive,
        Kind::TimeWait => TimerKind::TimeWait,
        Kind::Probe(_) => TimerKind::WindowProbe,
    });
    TcpSocket {
        cookie: u64::from_ne_bytes(id.cookie),
        local: address(id.source_address, id.source_port, id.interface_id),
        remote: address(id.destination_address, id.destination_port, id.interface_id),
        state: state(header.state),
        recv_queue: header.recv_queue,
        send_queue: header.send_queue,
        timer: kind.map(|kind| Timer { kind, expires }),
        retransmissions: match header.timer {
            Some(Kind::Retransmit(_, count)) => count,
            _ => 0,
        },
        traffic: answer.nlas.iter().find_map(traffic).filter(|_| header.state != TCP_LISTEN),
        uid: header.uid,
        inode: header.inode,
    }
}

/// A link-local address means nothing without its interface.
fn address(ip: IpAddr, port: u16, interface: u32) -> SocketAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) if ip.is_unicast_link_local() => SocketAddrV6::new(ip, port, 0, interface).into(),
        ip => SocketAddr::new(ip, port),
    }
}

/// Returns the time until the timer of a message's socket expires: `idiag_expires` of `struct inet_diag_msg`
/// (linux/inet_diag.h). The parser keeps no time for a socket in TIME-WAIT.
fn expires(message: &[u8]) -> Duration {
    const EXPIRES: usize = HEADER + 52;
    let bytes = message.get(EXPIRES..EXPIRES + 4).and_then(|bytes| bytes.try_into().ok());
    Duration::from_millis(bytes.map_or(0, u32::from_ne_bytes).into())
}

/// Reads `struct tcp_info` (linux/tcp.h). An older kernel's may be shorter.
fn traffic(attribute: &Nla) -> Option<Traffic> {
    let Nla::TcpInfo(info) = attribute else { return None };
    let millis = |at: usize| -> Option<Duration> {
        let bytes = info.get(at..at + 4)?.try_into().ok()?;
        Some(Duration::from_millis(u32::from_ne_bytes(bytes).into()))
    };
    let count = |at: usize| -> Option<u64> { Some(u64::from_ne_bytes(info.get(at..at + 8)?.try_into().ok()?)) };
    let micros = u32::from_ne_bytes(info.get(8..12)?.try_into().ok()?);
    Some(Traffic {
        retransmission_timeout: Duration::from_micros(micros.into()),
        last_sent: millis(44)?,
        last_received: millis(52)?,
        last_acknowledged: millis(56)?,
        acknowledged: count(120)?,
        received: count(128)?,
    })
}

fn state(number: u8) -> TcpState {
    match number {
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

fn number(state: TcpState) -> u8 {
    match state {
        TcpState::Closed => TCP_CLOSE,
        TcpState::Listen => TCP_LISTEN,
        TcpState::SynSent => TCP_SYN_SENT,
        TcpState::SynReceived => TCP_SYN_RECV,
        TcpState::Established => TCP_ESTABLISHED,
        TcpState::FinWait1 => TCP_FIN_WAIT1,
        TcpState::FinWait2 => TCP_FIN_WAIT2,
        TcpState::CloseWait => TCP_CLOSE_WAIT,
        TcpState::Closing => TCP_CLOSING,
        TcpState::LastAck => TCP_LAST_ACK,
        TcpState::TimeWait => TCP_TIME_WAIT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::net::{Shutdown, TcpListener, TcpStream};
    use std::time::Instant;

    fn connected(address: &str) -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind(address).expect("a port");
        let client = TcpStream::connect(listener.local_addr().expect("an address")).expect("a connection");
        (client, listener.accept().expect("a connection").0)
    }

    /// Waits until the kernel shows the socket with these addresses as `is_right` says, alone and among all.
    fn wait(local: SocketAddr, remote: SocketAddr, is_right: impl Fn(&TcpSocket) -> bool) -> TcpSocket {
        let kernel = Kernel::open().expect("sock_diag");
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            let sockets = kernel.sockets(&TcpState::ALL).expect("an answer");
            let found = sockets.into_iter().find(|socket| (socket.local, socket.remote) == (local, remote));
            let alone = kernel.socket(local, remote).expect("an answer");
            let are_equal = found.as_ref().map(|socket| socket.cookie) == alone.as_ref().map(|socket| socket.cookie);
            match found {
                Some(socket) if are_equal && is_right(&socket) => return socket,
                other => assert!(Instant::now() < end, "{other:?} {alone:?}"),
            }
        }
    }

    #[test]
    fn both_ends_are_shown_from_established_to_time_wait_on_both_families() {
        // A machine may have no IPv6, but not in CI.
        let has_ipv6 = std::env::var_os("CI").is_some() || TcpListener::bind("[::1]:0").is_ok();
        for address in ["127.0.0.1:0", "[::1]:0"].into_iter().take(if has_ipv6 { 2 } else { 1 }) {
            let (mut client, mut server) = connected(address);
            let [here, there] = [&client, &server].map(|stream| stream.local_addr().expect("an address"));
            client.write_all(b"four").expect("written");
            let open = wait(there, here, |socket| socket.recv_queue == 4);
            assert_eq!((open.state, open.is_orphan(), open.unread()), (TcpState::Established, false, 4), "{address}");
            assert_eq!(open.traffic.map(|traffic| traffic.received), Some(4));
            wait(here, there, |socket| socket.traffic.is_some_and(|traffic| traffic.acknowledged == 4 + 1));
            // The article's second table: the server closes first, and the client does not.
            server.read_exact(&mut [0; 4]).expect("four bytes");
            server.shutdown(Shutdown::Write).expect("a FIN");
            wait(there, here, |socket| socket.state == TcpState::FinWait2);
            let closing = wait(here, there, |socket| socket.state == TcpState::CloseWait);
            assert_eq!((closing.recv_queue, closing.unread()), (1, 0), "the FIN is not read");
            let heard = |socket: &TcpSocket| socket.traffic.map(|traffic| traffic.last_acknowledged);
            let later = wait(here, there, |socket| heard(socket) > Some(Duration::from_millis(50)));
            assert_eq!(later.state, TcpState::CloseWait, "the time since the FIN passes");
            drop(client);
            let over = wait(there, here, |socket| socket.state == TcpState::TimeWait);
            assert_eq!(over.cookie, open.cookie, "{address}: it is the same socket");
            assert_eq!(over.traffic, None);
            let timer = over.timer.expect("a timer");
            assert_eq!(timer.kind, TimerKind::TimeWait);
            assert!(timer.expires > Duration::from_secs(50), "{timer:?}");
        }
    }

    #[test]
    fn an_orphan_is_told_from_a_socket_that_a_process_holds() {
        let (client, server) = connected("127.0.0.1:0");
        let [here, there] = [&client, &server].map(|stream| stream.local_addr().expect("an address"));
        drop(client);
        let orphan = wait(here, there, |socket| socket.state == TcpState::FinWait2);
        assert!(orphan.is_orphan());
        // The kernel has another timer first if it keeps orphans for longer than TIME-WAIT.
        let is_long = crate::Settings::read().fin_timeout > crate::TIME_WAIT;
        let kind = if is_long { TimerKind::KeepAlive } else { TimerKind::TimeWait };
        assert_eq!(orphan.timer.map(|timer| timer.kind), Some(kind));
        assert!(!wait(there, here, |_| true).is_orphan());
    }

    #[test]
    fn only_the_states_that_were_asked_for_are_shown() {
        let (_client, _server) = connected("127.0.0.1:0");
        let kernel = Kernel::open().expect("sock_diag");
        let sockets = kernel.sockets(&[TcpState::Listen]).expect("an answer");
        assert!(sockets.iter().all(|socket| socket.state == TcpState::Listen), "{sockets:?}");
        assert!(!kernel.sockets(&[TcpState::Established]).expect("an answer").is_empty());
    }

    #[test]
    fn a_socket_that_is_not_there_is_none() {
        let kernel = Kernel::open().expect("sock_diag");
        let [local, remote] = ["127.0.0.1:1", "127.0.0.1:2"].map(|address| address.parse().expect("an address"));
        assert_eq!(kernel.socket(local, remote).expect("an answer"), None);
    }

    #[test]
    fn a_link_local_address_has_its_interface() {
        let address = address("fe80::1".parse().expect("an address"), 80, 3);
        assert_eq!(address.to_string(), "[fe80::1%3]:80");
    }

    #[test]
    fn an_answer_that_ends_with_an_error_is_one() {
        // The header of NLMSG_DONE, and minus ENOENT.
        let mut part = [20, 0, 0, 0, 3, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0].to_vec();
        part.extend((-2_i32).to_ne_bytes());
        let error = read(&part, &mut |_| ()).expect_err("an error");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_part_that_is_cut_off_is_an_error_or_nothing_but_no_panic() {
        let mut count = 0;
        let mut found = |_| count += 1;
        assert!(!read(&[], &mut found).expect("nothing"));
        assert!(!read(&[0; 15], &mut found).expect("nothing"));
        assert!(read(&[0xff; 40], &mut found).is_err());
        assert_eq!(count, 0);
    }
}
