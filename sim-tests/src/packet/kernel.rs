//! The sockets and listeners of both hosts, and the processing of network events.

use super::simulation::{FaultInjector, Simulation};
use super::socket::Socket;
use crate::support::Millis;
use crate::tcp::{Cause, TcpEvent, TcpState};
use echo_core::Role;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::task::Waker;

/// Identifies a socket among all sockets of both hosts.
pub(super) type Name = u64;

pub(super) struct Kernel {
    pub(super) world: Simulation,
    sockets: BTreeMap<Name, Socket>,
    listeners: BTreeMap<(usize, u16), Listening>,
    names: Name,
    /// The next ephemeral ports, by [`Role`].
    ports: [u16; 2],
    /// Number of entries of the network's log that were read.
    read: usize,
    /// What programs have dropped. It is closed at the next call that knows the time. A destructor must not read the
    /// clock, because tokio's clock is the real one while a runtime shuts down.
    dropped: Vec<Dropped>,
    /// Tasks that wait until every socket is closed.
    pub(super) idle: Vec<Waker>,
}

/// Something that a program has dropped.
#[derive(Clone, Copy, Debug)]
pub(super) enum Dropped {
    Stream(Name),
    Listener(Role, u16),
}

#[derive(Default)]
struct Listening {
    /// Sockets that listen, are being established, or wait to be accepted, oldest first.
    backlog: Vec<Name>,
    waker: Option<Waker>,
}

/// The first ephemeral port (RFC 6335 section 6).
const EPHEMERAL: u16 = 49_152;

impl Kernel {
    pub(super) fn new(world: Simulation) -> Self {
        let (sockets, listeners) = (BTreeMap::new(), BTreeMap::new());
        Self {
            world,
            sockets,
            listeners,
            names: 0,
            ports: [EPHEMERAL; 2],
            read: 0,
            dropped: Vec::new(),
            idle: Vec::new(),
        }
    }

    /// Clears the log. From now on `judge` decides the fate of segments.
    pub(super) fn begin(&mut self, judge: Box<dyn FaultInjector>) {
        self.world.begin();
        self.world.judge = judge;
        self.read = 0;
    }

    fn add(&mut self, side: Role) -> Name {
        let socket = Socket::new(side, self.world.open(side));
        self.names += 1;
        self.sockets.insert(self.names, socket);
        self.names
    }

    /// Calls `what` with a socket and its network; `None` if there is no such socket.
    pub(super) fn with<T>(&mut self, name: Name, what: impl FnOnce(&mut Socket, &mut Simulation) -> T) -> Option<T> {
        let Self { world, sockets, .. } = self;
        sockets.get_mut(&name).map(|socket| what(socket, world))
    }

    /// Sets the time, unless it is later already, and closes what was dropped.
    pub(super) fn advance(&mut self, now: Millis) {
        self.world.now = self.world.now.max(now);
        for dropped in std::mem::take(&mut self.dropped) {
            match dropped {
                Dropped::Stream(name) => drop(self.with(name, |socket, world| socket.close(world))),
                Dropped::Listener(side, port) => self.stop(side, port),
            }
        }
    }

    /// Records what a program has dropped.
    pub(super) fn let_go(&mut self, what: Dropped) {
        self.dropped.push(what);
    }

    /// Processes all events that are due, one packet at a time.
    pub(super) fn turn(&mut self) {
        self.pump();
        while self.world.arrive() {
            self.pump();
        }
    }

    /// Lets the stacks send all that is due.
    pub(super) fn pump(&mut self) {
        loop {
            self.world.egress();
            if !self.settle() {
                return;
            }
        }
    }

    /// Returns the time of the next event.
    pub(super) fn due(&mut self) -> Option<Millis> {
        let sockets = self.sockets.values().filter_map(Socket::due).min();
        self.world.due().into_iter().chain(sockets).min()
    }

    /// Does what Linux would do now and the stacks do not. Returns whether the stacks then have something to do.
    fn settle(&mut self) -> bool {
        self.read_log();
        let Self { world, sockets, .. } = self;
        let mut acted = false;
        for socket in sockets.values_mut() {
            acted |= socket.settle(world);
            socket.wake(world);
        }
        sockets.retain(|_, socket| {
            let over = socket.orphan && socket.is_over(world);
            if over {
                socket.remove(world, Cause::Program);
            }
            !over
        });
        let ports: Vec<_> = self.listeners.keys().copied().collect();
        for (side, port) in ports {
            self.refill(side, port);
        }
        if self.is_idle() {
            self.idle.drain(..).for_each(Waker::wake);
        }
        acted
    }

    /// Sets each closed socket's cause of closing.
    fn read_log(&mut self) {
        let Self { world, sockets, read, .. } = self;
        for moment in &world.log()[*read..] {
            if let TcpEvent::Changed { side, socket, from, to: TcpState::Closed, cause } = &moment.event {
                let is = |candidate: &&mut Socket| candidate.side == *side && candidate.number == *socket;
                if let Some(socket) = sockets.values_mut().find(is) {
                    socket.closed(*from, *cause);
                }
            }
        }
        *read = world.log().len();
    }

    /// Returns whether all sockets are CLOSED, except those that listen.
    pub(super) fn is_idle(&mut self) -> bool {
        let Self { world, sockets, .. } = self;
        sockets.values().all(|socket| socket.state(world) == TcpState::Listen || socket.is_over(world))
    }

    /// Returns whether `side` has a socket, except those that listen.
    pub(super) fn has_any(&self, side: Role) -> bool {
        let Self { world, sockets, .. } = self;
        sockets.values().any(|socket| socket.side == side && socket.state(world) != TcpState::Listen)
    }

    /// Makes sure that one socket listens, and wakes the task that waits to accept.
    fn refill(&mut self, side: usize, port: u16) {
        let Self { world, sockets, listeners, .. } = self;
        let Some(listening) = listeners.get_mut(&(side, port)) else { return };
        let state = |name: &Name| sockets.get(name).map_or(TcpState::Closed, |socket| socket.state(world));
        let listens = listening.backlog.iter().any(|name| state(name) == TcpState::Listen);
        if listening.backlog.iter().any(|name| is_there(state(name))) {
            listening.waker.take().into_iter().for_each(Waker::wake);
        }
        if !listens {
            let side = if side == Role::Client as usize { Role::Client } else { Role::Server };
            let name = self.add(side);
            self.with(name, |socket, world| socket.listen(world, port));
            if let Some(listening) = self.listeners.get_mut(&(side as usize, port)) {
                listening.backlog.push(name);
            }
        }
    }

    /// Starts to listen.
    pub(super) fn listen(&mut self, side: Role, port: u16) -> io::Result<()> {
        let key = (side as usize, port);
        if port == 0 || self.listeners.contains_key(&key) {
            return Err(ErrorKind::AddrInUse.into());
        }
        self.listeners.insert(key, Listening::default());
        self.settle();
        Ok(())
    }

    /// Returns the next connection that waits to be accepted.
    pub(super) fn accept(&mut self, side: Role, port: u16, waker: &Waker) -> Option<Name> {
        let Self { world, sockets, listeners, .. } = self;
        let listening = listeners.get_mut(&(side as usize, port))?;
        let state = |name: &Name| sockets.get(name).map_or(TcpState::Closed, |socket| socket.state(world));
        let position = listening.backlog.iter().position(|name| is_there(state(name)));
        if position.is_none() {
            listening.waker = Some(waker.clone());
        }
        position.map(|position| listening.backlog.remove(position))
    }

    /// Stops listening. Connections that were not accepted are reset.
    fn stop(&mut self, side: Role, port: u16) {
        let Some(listening) = self.listeners.remove(&(side as usize, port)) else { return };
        for name in listening.backlog {
            self.with(name, |socket, world| {
                match socket.state(world) {
                    TcpState::Listen => drop(socket.shut_down(world)),
                    _ => socket.abort(world),
                }
                socket.orphan = true;
            });
        }
    }

    /// Sends SYN, from an ephemeral port or from `port`.
    pub(super) fn connect(&mut self, side: Role, port: Option<u16>, to: u16) -> io::Result<Name> {
        let from = match port {
            Some(port) if self.world.has(side, port, to) => return Err(ErrorKind::AddrInUse.into()),
            Some(port) => port,
            None => self.ephemeral(side, to).ok_or(ErrorKind::AddrNotAvailable)?,
        };
        let name = self.add(side);
        if self.with(name, |socket, world| socket.connect(world, from, to)) != Some(true) {
            self.sockets.remove(&name);
            return Err(ErrorKind::InvalidInput.into());
        }
        self.pump();
        Ok(name)
    }

    /// Returns a port without a connection to `to`, TIME-WAIT included.
    fn ephemeral(&mut self, side: Role, to: u16) -> Option<u16> {
        for _ in EPHEMERAL..=u16::MAX {
            let port = self.ports[side as usize];
            self.ports[side as usize] = port.checked_add(1).unwrap_or(EPHEMERAL);
            if !self.world.has(side, port, to) {
                return Some(port);
            }
        }
        None
    }

    /// Cuts the power of `side`. All its sockets and listeners are gone.
    pub(super) fn power_down(&mut self, side: Role) {
        self.world.power_down(side);
        self.sockets.retain(|_, socket| socket.side != side);
        self.listeners.retain(|(owner, _), _| *owner != side as usize);
    }
}

/// Returns whether the socket is a connection that can be accepted.
fn is_there(state: TcpState) -> bool {
    !matches!(state, TcpState::Listen | TcpState::SynReceived)
}
