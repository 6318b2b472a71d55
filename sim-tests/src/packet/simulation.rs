//! Two hosts and the link between them: one event after the other, in virtual time. It knows no clock and no tasks.

use super::host::{Host, Tcp};
use super::link::{Link, Packet};
use crate::support::Millis;
use crate::tcp::{Cause, PacketFate, Segment, SocketId, TcpEvent, TcpState, TimedEvent, parse};
use echo_core::Role;
use smoltcp::iface::SocketHandle;

/// Decides what becomes of each segment.
pub trait FaultInjector: Send {
    /// Decides about `segment`, which leaves at `now`, the network's own time in milliseconds. `sender` is the state of
    /// the socket that sent it.
    fn judge(&mut self, now: Millis, segment: &Segment, sender: TcpState) -> PacketDecision;

    /// A segment has arrived, whole or not, and its host has taken it.
    fn arrived(&mut self, _segment: &Segment) {}
}

/// What becomes of a segment, and of all that its side sends from it on.
#[derive(Clone, Copy, Debug)]
pub struct PacketDecision {
    /// Its own fate.
    pub fate: PacketFate,
    /// Nothing of this side, from this segment on, arrives before; `Some(None)` is never.
    pub hold: Option<Option<Millis>>,
}

/// Delivers everything.
pub(super) struct NoFaults;

impl FaultInjector for NoFaults {
    fn judge(&mut self, _: Millis, _: &Segment, _: TcpState) -> PacketDecision {
        PacketDecision { fate: PacketFate::Deliver, hold: None }
    }
}

/// How a network is made.
#[derive(Clone, Copy, Debug)]
pub struct Build {
    /// How long a packet takes.
    pub latency: Millis,
    /// Packets arrive only at multiples of this; 0 is at any time.
    pub batch: Millis,
    /// How many times as fast as the network's the clocks of the stacks run.
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
    /// A stack is of no use any more, and this is why.
    pub(super) stuck: Option<String>,
}

/// What a socket takes to send before it makes a writer wait, in bytes.
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

    /// Forgets what was, and counts segments from 0 again.
    pub(super) fn begin(&mut self) {
        self.log.clear();
        self.segments = 0;
    }

    /// Makes a socket; gives its number, too.
    pub(super) fn open(&mut self, side: Role) -> (SocketHandle, SocketId) {
        let window = self.build.window;
        self.host(side).open(window, SEND)
    }

    pub(super) fn socket(&mut self, side: Role, handle: SocketHandle) -> &mut Tcp {
        self.host(side).socket(handle)
    }

    /// Whether the stack of `side` still has this socket.
    pub(super) fn knows(&self, side: Role, handle: SocketHandle) -> bool {
        self.hosts[side as usize].knows(handle)
    }

    pub(super) fn state(&self, side: Role, handle: SocketHandle) -> TcpState {
        self.hosts[side as usize].state(handle)
    }

    /// Sends SYN. `false` if the stack refuses.
    pub(super) fn connect(&mut self, side: Role, handle: SocketHandle, from: u16, to: u16) -> bool {
        let connects = self.host(side).connect(handle, from, to);
        self.observe(side, Cause::Program);
        connects
    }

    /// Whether a socket of `side` has these ports, here and there.
    pub(super) fn has(&self, side: Role, here: u16, there: u16) -> bool {
        self.hosts[side as usize].find(here, there).is_some()
    }

    /// Writes down every change of a state since the last look.
    pub(super) fn observe(&mut self, side: Role, cause: Cause) {
        let at = self.now;
        let events = self.host(side).changes(cause);
        self.log.extend(events.into_iter().map(|event| TimedEvent { at, event }));
    }

    /// The kernel lets go of a socket for which nothing is left to do.
    pub(super) fn forget(&mut self, side: Role, handle: SocketHandle, cause: Cause) {
        let at = self.now;
        let event = self.host(side).forget(handle, cause);
        self.log.extend(event.map(|event| TimedEvent { at, event }));
    }

    /// The power of `side` is lost, and its sockets with it.
    pub(super) fn power_down(&mut self, side: Role) {
        for handle in self.host(side).handles() {
            self.forget(side, handle, Cause::Program);
        }
        self.host(side).dark = true;
    }

    /// The power is back. Nothing is left of what was.
    pub(super) fn power_up(&mut self, side: Role) {
        self.host(side).dark = false;
    }

    /// Both hosts' states as to a conversation with these ports, from `from`'s view.
    fn states(&self, from: Role, [here, there]: [u16; 2]) -> [TcpState; 2] {
        let mut states = [TcpState::Closed; 2];
        states[from as usize] = self.hosts[from as usize].state_of(here, there);
        states[from.peer() as usize] = self.hosts[from.peer() as usize].state_of(there, here);
        states
    }

    /// Gives what a host has sent to the link.
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

    /// Lets both stacks do what is due now.
    pub(super) fn egress(&mut self) {
        self.work(Role::Client);
        self.work(Role::Server);
    }

    fn work(&mut self, side: Role) {
        /// A stack that says it has something to do, and does nothing, would be asked for ever.
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

    /// Lets the next packet arrive, if it is due; whether it was.
    pub(super) fn arrive(&mut self) -> bool {
        let packet = self.link.pop(self.now).filter(|_| self.stuck.is_none());
        let Some(packet) = packet else { return false };
        if !self.hosts[packet.to as usize].dark {
            self.take(packet);
        }
        true
    }

    /// A packet that nobody has sent arrives.
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

    /// A SYN that hits TIME-WAIT opens the conversation anew if its number is higher than all before: RFC 9293 section
    /// 3.6.1, as Linux does. smoltcp would drop it.
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

    /// When something happens next.
    pub(super) fn due(&mut self) -> Option<Millis> {
        if self.stuck.is_some() {
            return None;
        }
        let now = self.now;
        let stacks = self.hosts.iter_mut().filter_map(|host| host.due(now)).min();
        stacks.into_iter().chain(self.link.due()).min()
    }
}
