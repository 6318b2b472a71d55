//! The simulation: two hosts and the link between them, one event at a time, in virtual time. It uses no clock and no
//! tasks.

use super::host::{Host, Tcp};
use super::link::{Link, Packet};
use crate::support::Millis;
use crate::tcp::{Cause, PacketFate, Segment, SocketId, TcpEvent, TcpState, TimedEvent, parse};
use echo_core::Role;
use smoltcp::iface::SocketHandle;

/// Decides the fate of each segment.
pub trait FaultInjector: Send {
    /// Decides about `segment`, which leaves at `now`, the network's time in milliseconds. `sender` is the state of the
    /// socket that sent it.
    fn judge(&mut self, now: Millis, segment: &Segment, sender: TcpState) -> PacketDecision;

    /// Is called when the host has processed a segment that arrived, corrupt or not.
    fn arrived(&mut self, _segment: &Segment) {}
}

/// The decision about a segment, and about what its side sends after it.
#[derive(Clone, Copy, Debug)]
pub struct PacketDecision {
    /// The segment's fate.
    pub fate: PacketFate,
    /// If set, this segment and all later ones of its side arrive no earlier; `Some(None)` is never.
    pub hold: Option<Option<Millis>>,
}

/// Delivers everything.
pub(crate) struct NoFaults;

impl FaultInjector for NoFaults {
    fn judge(&mut self, _: Millis, _: &Segment, _: TcpState) -> PacketDecision {
        PacketDecision { fate: PacketFate::Deliver, hold: None }
    }
}

/// How a network is built.
#[derive(Clone, Copy, Debug)]
pub struct Build {
    /// The latency of a packet.
    pub latency: Millis,
    /// Packets arrive only at multiples of this time; 0 is at any time.
    pub batch: Millis,
    /// Factor by which the stacks' clocks run faster than the network's.
    pub pace: u64,
    /// The receive buffer of a socket, in bytes.
    pub window: usize,
}

pub(super) struct Simulation {
    pub(super) now: Millis,
    pub(super) build: Build,
    hosts: [Host; 2],
    pub(super) link: Link,
    pub(super) judge: Box<dyn FaultInjector>,
    log: Vec<TimedEvent>,
    segments: u32,
    /// Why the simulation has stopped, if a stack is stuck.
    pub(super) stuck: Option<String>,
}

/// Send buffer of a socket, in bytes. A writer waits while it is full.
const SEND: usize = 1 << 16;

impl Simulation {
    pub(super) fn new(build: Build) -> Self {
        let hosts = Role::BOTH.map(|side| Host::new(side, build.pace));
        let link = Link::new(build.latency, build.batch);
        Self { now: 0, build, hosts, link, judge: Box::new(NoFaults), log: Vec::new(), segments: 0, stuck: None }
    }

    fn host(&mut self, side: Role) -> &mut Host {
        &mut self.hosts[side as usize]
    }

    pub(super) fn log(&self) -> &[TimedEvent] {
        &self.log
    }

    /// Clears the log, and counts segments from 0 again.
    pub(super) fn begin(&mut self) {
        self.log.clear();
        self.segments = 0;
    }

    /// Creates a socket. Returns its handle and number.
    pub(super) fn open(&mut self, side: Role) -> (SocketHandle, SocketId) {
        let window = self.build.window;
        self.host(side).open(window, SEND)
    }

    pub(super) fn socket(&mut self, side: Role, handle: SocketHandle) -> &mut Tcp {
        self.host(side).socket(handle)
    }

    /// Returns whether the stack of `side` still has this socket.
    pub(super) fn knows(&self, side: Role, handle: SocketHandle) -> bool {
        self.hosts[side as usize].knows(handle)
    }

    pub(super) fn state(&self, side: Role, handle: SocketHandle) -> TcpState {
        self.hosts[side as usize].state(handle)
    }

    /// Sends SYN. Returns `false` if the stack refuses.
    pub(super) fn connect(&mut self, side: Role, handle: SocketHandle, from: u16, to: u16) -> bool {
        let connects = self.host(side).connect(handle, from, to);
        self.observe(side, Cause::Program);
        connects
    }

    /// Returns whether `side` has a socket with this local and remote port.
    pub(super) fn has(&self, side: Role, here: u16, there: u16) -> bool {
        self.hosts[side as usize].find(here, there).is_some()
    }

    /// Logs all state changes of `side` since the last call.
    pub(super) fn observe(&mut self, side: Role, cause: Cause) {
        let at = self.now;
        let events = self.host(side).changes(cause);
        self.log.extend(events.into_iter().map(|event| TimedEvent { at, event }));
    }

    /// Removes a socket and logs its state change, if any.
    pub(super) fn forget(&mut self, side: Role, handle: SocketHandle, cause: Cause) {
        let at = self.now;
        let event = self.host(side).forget(handle, cause);
        self.log.extend(event.map(|event| TimedEvent { at, event }));
    }

    /// Cuts the power of `side`. All its sockets are gone.
    pub(super) fn power_down(&mut self, side: Role) {
        for handle in self.host(side).handles() {
            self.forget(side, handle, Cause::Program);
        }
        self.host(side).dark = true;
    }

    /// Restores the power of `side`, without any socket.
    pub(super) fn power_up(&mut self, side: Role) {
        self.host(side).dark = false;
    }

    /// Returns both hosts' states of the conversation with these ports, which are given from the view of `from`.
    fn states(&self, from: Role, [here, there]: [u16; 2]) -> [TcpState; 2] {
        let mut states = [TcpState::Closed; 2];
        states[from as usize] = self.hosts[from as usize].state_of(here, there);
        states[from.peer() as usize] = self.hosts[from.peer() as usize].state_of(there, here);
        states
    }

    /// Passes packets that a host has sent to the link.
    fn ship(&mut self, from: Role, packets: Vec<Vec<u8>>) {
        for bytes in packets {
            let Some(segment) = parse(self.segments, from, bytes) else { continue };
            self.segments += 1;
            let states = self.states(from, segment.ports);
            let ruling = self.judge.judge(self.now, &segment, states[from as usize]);
            if let Some(until) = ruling.hold {
                self.link.hold(from, until);
            }
            self.link.take(self.now, from, segment.index, segment.bytes.clone(), ruling.fate);
            self.log.push(TimedEvent { at: self.now, event: TcpEvent::Sent { segment, fate: ruling.fate, states } });
        }
    }

    /// Lets both stacks send what is due.
    pub(super) fn egress(&mut self) {
        self.work(Role::Client);
        self.work(Role::Server);
    }

    fn work(&mut self, side: Role) {
        /// Limits a stack that reports work to do and does none.
        const PATIENCE: u32 = 10_000;
        let now = self.now;
        for _ in 0..PATIENCE {
            if self.stuck.is_some() || self.host(side).due(now).is_none_or(|due| due > now) {
                return;
            }
            let packets = self.host(side).send(now);
            self.observe(side, Cause::Timer);
            self.ship(side, packets);
        }
        let name = side.name();
        self.stuck = Some(format!("livelock: at {now} ms the {name}'s stack has something to do, and does not do it"));
    }

    /// Delivers the next packet if it is due. Returns whether one was due.
    pub(super) fn arrive(&mut self) -> bool {
        let packet = self.link.pop(self.now).filter(|_| self.stuck.is_none());
        let Some(packet) = packet else { return false };
        if !self.hosts[packet.to as usize].dark {
            self.take(packet);
        }
        true
    }

    /// Delivers a packet that neither host has sent.
    pub(super) fn inject(&mut self, to: Role, bytes: Vec<u8>) {
        if self.stuck.is_none() && !self.hosts[to as usize].dark {
            self.take(Packet { index: u32::MAX, to, bytes });
        }
    }

    fn take(&mut self, Packet { index, to, bytes }: Packet) {
        let now = self.now;
        let segment = parse(index, to.peer(), bytes.clone());
        if let Some(segment) = &segment {
            self.reopen(to, segment);
        }
        let replies = self.host(to).take(now, bytes);
        let changes = self.host(to).changes(Cause::Arrival(index));
        if let Some(segment) = &segment {
            self.judge.arrived(segment);
        }
        let states = segment.map_or([TcpState::Closed; 2], |segment| self.states(segment.from, segment.ports));
        let events = [TcpEvent::Arrived { index, states }].into_iter().chain(changes);
        self.log.extend(events.map(|event| TimedEvent { at: now, event }));
        self.ship(to, replies);
    }

    /// Removes a socket in TIME-WAIT if a SYN arrives whose number is higher than all before, so that a new connection
    /// opens (RFC 9293 section 3.6.1), as on Linux. smoltcp would drop the SYN.
    fn reopen(&mut self, side: Role, segment: &Segment) {
        let [there, here] = segment.ports;
        if !segment.is_first_syn() {
            return;
        }
        let Some(handle) = self.host(side).find(here, there) else { return };
        let acknowledged = self.log.iter().rev().find_map(|moment| match &moment.event {
            TcpEvent::Sent { segment, .. } if segment.from == side && segment.ports == [here, there] => {
                Some(segment.ack)
            }
            TcpEvent::Sent { .. } | TcpEvent::Arrived { .. } | TcpEvent::Changed { .. } => None,
        });
        let is_newer = acknowledged.is_none_or(|ack| segment.seq.wrapping_sub(ack) < 1 << 31);
        if self.state(side, handle) == TcpState::TimeWait && is_newer {
            self.forget(side, handle, Cause::Arrival(segment.index));
        }
    }

    /// Returns the time of the next event.
    pub(super) fn due(&mut self) -> Option<Millis> {
        if self.stuck.is_some() {
            return None;
        }
        let now = self.now;
        let stacks = self.hosts.iter_mut().filter_map(|host| host.due(now)).min();
        stacks.into_iter().chain(self.link.due()).min()
    }
}
