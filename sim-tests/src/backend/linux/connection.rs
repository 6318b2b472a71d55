//! The packets of one run: what the kernel sends, what the network does with it, and the states of both sockets.

use super::holder::Ending;
use crate::linux::{SocketPair, SocketStates};
use crate::packet::{FaultInjector, Link, NoFaults, Packet};
use crate::support::Millis;
use crate::tcp::{Cause, SocketId, TcpEvent, TcpState, TimedEvent, parse};
use echo_core::Role;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;
use tokio::time::Instant;

/// The time within which a program reacts to an event.
const REACTION: Duration = Duration::from_millis(2);

/// A run's connection, packet by packet. Its time is the harness's, [`SLOWER`](super::SLOWER) than the kernel's.
pub(super) struct Connection {
    started: Instant,
    instant: Instant,
    /// The last event, and its time.
    last: (Instant, Millis),
    lateness: Duration,
    /// The hosts' addresses; by [`Role`].
    addresses: [Ipv4Addr; 2],
    link: Link,
    injector: Box<dyn FaultInjector>,
    segments: u32,
    log: Vec<TimedEvent>,
    /// Known from the first packet on.
    pair: Option<SocketPair>,
    sockets: [Seen; 2],
    /// The hosts without power; by [`Role`].
    dark: [bool; 2],
    /// Nothing arrives while the kernel still has to end a process.
    ending: Option<Ending>,
}

/// The last known state of a socket.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    id: SocketId,
    /// `None` before the first look.
    state: Option<TcpState>,
}

impl Connection {
    pub(super) fn new(addresses: [Ipv4Addr; 2], latency: Millis, batch: Millis) -> Self {
        let now = Instant::now();
        Self {
            started: now,
            instant: now,
            last: (now, 0),
            lateness: Duration::ZERO,
            addresses,
            link: Link::new(latency, batch),
            injector: Box::new(NoFaults),
            segments: 0,
            log: Vec::new(),
            pair: None,
            sockets: [Seen::default(); 2],
            dark: [false; 2],
            ending: None,
        }
    }

    /// Clears the log, and counts segments from 0. From now on `injector` decides the fate of each, and nothing arrives
    /// during an `ending`.
    pub(super) fn begin(&mut self, injector: Box<dyn FaultInjector>, ending: Ending) {
        (self.injector, self.segments, self.ending) = (injector, 0, Some(ending));
        self.log.clear();
    }

    /// Returns the connection's time at the instant that [`Connection::tick`] was last given.
    pub(super) fn now(&self) -> Millis {
        self.at(self.instant)
    }

    /// Sets the instant at which everything happens until the next call.
    pub(super) fn tick(&mut self, instant: Instant) {
        self.instant = instant;
    }

    /// Forgets what came too late so far.
    pub(super) fn forget_lateness(&mut self) {
        self.lateness = Duration::ZERO;
    }

    /// Notes that this process was not running for some time, which began at `since`. It matters if a program was about
    /// to react to an event.
    pub(super) fn note_stall(&mut self, since: Instant, lasted: Duration) {
        if self.last.0 + REACTION >= since {
            self.lateness = self.lateness.max(lasted);
        }
    }

    /// Returns by how much packets or reactions came too late, because this process was not running.
    pub(super) fn lateness(&self) -> Duration {
        self.lateness
    }

    fn at(&self, instant: Instant) -> Millis {
        let elapsed = instant.saturating_duration_since(self.started) / super::SLOWER;
        Millis::try_from(elapsed.as_millis()).unwrap_or(Millis::MAX)
    }

    fn instant_of(&self, at: Millis) -> Option<Instant> {
        self.started.checked_add(Duration::from_millis(at.saturating_mul(u64::from(super::SLOWER))))
    }

    /// Returns the time of a packet that is sent now. What a program sends within a millisecond of another event, it
    /// sends at the time of that event: programs take no time, as on the simulators.
    fn departure(&mut self) -> Millis {
        let (last, at) = self.last;
        if self.instant.saturating_duration_since(last) >= super::SLOWER * Duration::from_millis(1) {
            self.last = (self.instant, self.now());
            return self.now();
        }
        at
    }

    /// Returns when the next packet arrives.
    pub(super) fn due(&self) -> Option<Instant> {
        if self.ending.as_ref().is_some_and(Ending::is_going_on) {
            return None;
        }
        self.instant_of(self.link.due()?)
    }

    /// Returns all events since [`Connection::begin`].
    pub(super) fn into_log(self) -> Vec<TimedEvent> {
        self.log
    }

    /// Blocks both directions until `until`; `None` is for ever.
    pub(super) fn cut(&mut self, until: Option<Millis>) {
        self.link.cut(until);
    }

    /// Cuts the power of `side`, or restores it. A dark host sends and receives nothing.
    pub(super) fn set_dark(&mut self, side: Role, dark: bool) {
        self.dark[side as usize] = dark;
    }

    /// Returns whether both sockets are closed, or in TIME-WAIT, which lasts for a minute.
    pub(super) fn is_settled(&self) -> bool {
        let ends =
            |seen: &Seen| matches!(seen.state, None | Some(TcpState::Closed | TcpState::Listen | TcpState::TimeWait));
        self.sockets.iter().all(ends)
    }

    /// Takes a packet that the kernel has sent, and puts it on its way.
    pub(super) fn take(&mut self, from: Role, bytes: Vec<u8>, kernel: &SocketStates) -> io::Result<()> {
        let Some(segment) = parse(self.segments, from, bytes).filter(|_| !self.dark[from as usize]) else {
            return Ok(());
        };
        if segment.is_first_syn() {
            let [client, server] = segment.ports;
            let address = |side: Role, port| SocketAddrV4::new(self.addresses[side as usize], port);
            let (client, server) = (address(Role::Client, client), address(Role::Server, server));
            self.pair = Some(SocketPair { client, server });
        }
        self.segments += 1;
        self.observe(kernel, Cause::Program)?;
        let (now, states) = (self.departure(), self.states());
        let decision = self.injector.judge(now, &segment, states[from as usize]);
        if let Some(until) = decision.hold {
            self.link.hold(from, until);
        }
        self.link.take(now, from, segment.index, segment.bytes.clone(), decision.fate);
        self.log.push(TimedEvent { at: now, event: TcpEvent::Sent { segment, fate: decision.fate, states } });
        Ok(())
    }

    /// Returns the next packet that is due, if its host has power.
    pub(super) fn next_due(&mut self) -> Option<Packet> {
        let now = self.now();
        let due = self.due()?;
        let packet = std::iter::from_fn(|| self.link.pop(now)).find(|packet| !self.dark[packet.to as usize])?;
        self.lateness = self.lateness.max(self.instant.saturating_duration_since(due));
        self.last = (self.instant, now);
        Some(packet)
    }

    /// Notes that the kernel has processed `packet`.
    pub(super) fn arrived(&mut self, packet: &Packet, kernel: &SocketStates) -> io::Result<()> {
        let place = self.log.len();
        self.observe(kernel, Cause::Arrival(packet.index))?;
        let event = TcpEvent::Arrived { index: packet.index, states: self.states() };
        // The changes come after the arrival that caused them.
        self.log.insert(place, TimedEvent { at: self.now(), event });
        if let Some(segment) = parse(packet.index, packet.to.peer(), packet.bytes.clone()) {
            self.injector.arrived(&segment);
        }
        Ok(())
    }

    /// Asks the kernel for both sockets' states, and logs the changes.
    pub(super) fn observe(&mut self, kernel: &SocketStates, cause: Cause) -> io::Result<()> {
        let Some(pair) = self.pair else { return Ok(()) };
        let states = kernel.of(pair)?;
        let at = self.now();
        for side in Role::BOTH {
            let events = self.sockets[side as usize].changes(side, states[side as usize], cause);
            self.log.extend(events.into_iter().map(|event| TimedEvent { at, event }));
        }
        Ok(())
    }

    fn states(&self) -> [TcpState; 2] {
        self.sockets.map(|seen| seen.state.unwrap_or(TcpState::Closed))
    }
}

impl Seen {
    /// Takes the kernel's answer. Returns the changes that it shows.
    fn changes(&mut self, side: Role, answer: TcpState, cause: Cause) -> Vec<TcpEvent> {
        let last = self.state.unwrap_or(TcpState::Closed);
        let now = match (answer, self.state) {
            (_, None) | (TcpState::Listen, Some(TcpState::Listen)) => answer,
            // The kernel answers with the listener if there is no socket of the connection, also when it has ended.
            (TcpState::Listen, Some(_)) => TcpState::Closed,
            (_, Some(_)) => answer,
        };
        let mut events = Vec::new();
        let mut change = |socket, from, to, cause| {
            if from != to {
                events.push(TcpEvent::Changed { side, socket, from, to, cause });
            }
        };
        if last == TcpState::TimeWait && !matches!(now, TcpState::TimeWait | TcpState::Closed) {
            // A new connection has taken the place of the old one (RFC 9293 section 3.6.1).
            change(self.id, last, TcpState::Closed, cause);
            self.id += 1;
            change(self.id, TcpState::Closed, TcpState::Listen, Cause::Program);
            change(self.id, TcpState::Listen, now, cause);
        } else {
            change(self.id, last, now, cause);
        }
        self.state = Some(now);
        events
    }
}
