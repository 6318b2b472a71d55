//! A host: network card, TCP/IP stack, sockets, and the last known state of each socket.

use super::device::Card;
use crate::support::Millis;
use crate::tcp::{Cause, SocketId, TcpEvent, TcpState};
use echo_core::Role;
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::socket::tcp;
use smoltcp::time::Instant;
use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr, Ipv4Address};

/// A socket of the stack.
pub(super) type Tcp = tcp::Socket<'static>;

/// Maximum segment size in bytes (RFC 9293 section 3.7.1, on an Ethernet).
const SEGMENT: usize = 1460;

pub(super) struct Host {
    side: Role,
    /// Factor by which its clock runs faster than the harness's.
    pace: u64,
    stack: Interface,
    card: Card,
    sockets: SocketSet<'static>,
    seen: Vec<Seen>,
    next: SocketId,
    /// Whether it has no power.
    pub(super) dark: bool,
}

struct Seen {
    handle: SocketHandle,
    id: SocketId,
    state: TcpState,
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host").field("side", &self.side.name()).field("sockets", &self.seen.len()).finish()
    }
}

/// Returns the address of a side's host.
pub(super) fn address(side: Role) -> Ipv4Address {
    match side {
        Role::Client => Ipv4Address::new(10, 0, 0, 1),
        Role::Server => Ipv4Address::new(10, 0, 0, 2),
    }
}

impl Host {
    pub(super) fn new(side: Role, pace: u64) -> Self {
        let mut card = Card::default();
        let mut config = Config::new(HardwareAddress::Ip);
        // The stack draws its initial sequence numbers from this seed.
        config.random_seed = 2012 + side as u64;
        let mut stack = Interface::new(config, &mut card, Instant::ZERO);
        stack.update_ip_addrs(|addresses| {
            // The list has space for more than one address, so this cannot fail.
            let _ = addresses.push(IpCidr::new(IpAddress::Ipv4(address(side)), 24));
        });
        let (sockets, seen) = (SocketSet::new(Vec::new()), Vec::new());
        Self { side, pace, stack, card, sockets, seen, next: 0, dark: false }
    }

    /// Creates a socket with buffers of these sizes in bytes. Returns its handle and number.
    pub(super) fn open(&mut self, receive: usize, send: usize) -> (SocketHandle, SocketId) {
        let buffer = |size| tcp::SocketBuffer::new(vec![0; size]);
        let mut socket = tcp::Socket::new(buffer(receive), buffer(send));
        // The programs set TCP_NODELAY.
        socket.set_nagle_enabled(false);
        if receive < SEGMENT {
            // With delayed ACKs the program would read before an ACK leaves, and no closed window would be seen.
            socket.set_ack_delay(None);
        }
        let handle = self.sockets.add(socket);
        let id = self.next;
        self.seen.push(Seen { handle, id, state: TcpState::Closed });
        self.next += 1;
        (handle, id)
    }

    /// Removes a socket.
    pub(super) fn remove(&mut self, handle: SocketHandle) {
        self.sockets.remove(handle);
        self.seen.retain(|seen| seen.handle != handle);
    }

    pub(super) fn socket(&mut self, handle: SocketHandle) -> &mut Tcp {
        self.sockets.get_mut(handle)
    }

    pub(super) fn state(&self, handle: SocketHandle) -> TcpState {
        state(self.sockets.get::<Tcp>(handle).state())
    }

    pub(super) fn handles(&self) -> Vec<SocketHandle> {
        self.seen.iter().map(|seen| seen.handle).collect()
    }

    pub(super) fn knows(&self, handle: SocketHandle) -> bool {
        self.seen.iter().any(|seen| seen.handle == handle)
    }

    /// Returns the state of the socket with this local and remote port; CLOSED if there is none.
    pub(super) fn state_of(&self, here: u16, there: u16) -> TcpState {
        self.find(here, there).map_or(TcpState::Closed, |handle| self.state(handle))
    }

    /// Returns the connection with this local and remote port.
    pub(super) fn find(&self, here: u16, there: u16) -> Option<SocketHandle> {
        let is = |handle: &SocketHandle| {
            let socket = self.sockets.get::<Tcp>(*handle);
            let ports = (socket.local_endpoint(), socket.remote_endpoint());
            matches!(ports, (Some(local), Some(remote)) if local.port == here && remote.port == there)
        };
        self.seen.iter().map(|seen| seen.handle).find(is)
    }

    /// Sends SYN. Returns `false` if the stack refuses.
    pub(super) fn connect(&mut self, handle: SocketHandle, from: u16, to: u16) -> bool {
        let remote = (IpAddress::Ipv4(address(self.side.peer())), to);
        self.sockets.get_mut::<Tcp>(handle).connect(self.stack.context(), remote, from).is_ok()
    }

    fn instant(&self, now: Millis) -> Instant {
        Instant::from_millis(i64::try_from(now.saturating_mul(self.pace)).unwrap_or(i64::MAX))
    }

    /// Returns when its stack next has something to do.
    pub(super) fn due(&mut self, now: Millis) -> Option<Millis> {
        if self.dark {
            return None;
        }
        let at = self.stack.poll_at(self.instant(now), &self.sockets)?;
        let at = u64::try_from(at.total_micros()).unwrap_or_default();
        Some(at.div_ceil(1000 * self.pace).max(now))
    }

    /// Lets its stack send what is due, and returns it.
    pub(super) fn send(&mut self, now: Millis) -> Vec<Vec<u8>> {
        let instant = self.instant(now);
        self.stack.poll_egress(instant, &mut self.card, &mut self.sockets);
        self.card.take()
    }

    /// Lets its stack process one packet, and returns what it sends in reply.
    pub(super) fn take(&mut self, now: Millis, packet: Vec<u8>) -> Vec<Vec<u8>> {
        let instant = self.instant(now);
        self.card.put(packet);
        self.stack.poll_ingress_single(instant, &mut self.card, &mut self.sockets);
        self.card.take()
    }

    /// Returns all state changes of its sockets since the last call.
    pub(super) fn changes(&mut self, cause: Cause) -> Vec<TcpEvent> {
        let mut events = Vec::new();
        for seen in &mut self.seen {
            let now = state(self.sockets.get::<Tcp>(seen.handle).state());
            if now != seen.state {
                let from = std::mem::replace(&mut seen.state, now);
                events.push(TcpEvent::Changed { side: self.side, socket: seen.id, from, to: now, cause });
            }
        }
        events
    }

    /// Removes a socket, which the stack does not log. Returns its change to CLOSED, if it was not CLOSED.
    pub(super) fn forget(&mut self, handle: SocketHandle, cause: Cause) -> Option<TcpEvent> {
        let seen = self.seen.iter().find(|seen| seen.handle == handle)?;
        let (socket, from, to) = (seen.id, seen.state, TcpState::Closed);
        self.remove(handle);
        (from != to).then_some(TcpEvent::Changed { side: self.side, socket, from, to, cause })
    }
}

fn state(state: tcp::State) -> TcpState {
    match state {
        tcp::State::Closed => TcpState::Closed,
        tcp::State::Listen => TcpState::Listen,
        tcp::State::SynSent => TcpState::SynSent,
        tcp::State::SynReceived => TcpState::SynReceived,
        tcp::State::Established => TcpState::Established,
        tcp::State::FinWait1 => TcpState::FinWait1,
        tcp::State::FinWait2 => TcpState::FinWait2,
        tcp::State::CloseWait => TcpState::CloseWait,
        tcp::State::Closing => TcpState::Closing,
        tcp::State::LastAck => TcpState::LastAck,
        tcp::State::TimeWait => TcpState::TimeWait,
    }
}
