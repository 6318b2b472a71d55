//! The sockets of both hosts, and the events of the network one after the other.

use super::simulation::{FaultInjector, Simulation};
use super::socket::Socket;
use crate::support::Millis;
use crate::tcp::{Cause, TcpEvent, TcpState};
use echo_core::Role;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::task::Waker;

/// A socket's name among all of both hosts.
pub(super) type Name = u64;

pub(super) struct Kernel {
    pub(super) world: Simulation,
    sockets: BTreeMap<Name, Socket>,
    listeners: BTreeMap<(usize, u16), Listening>,
    names: Name,
    /// The next ephemeral ports, by [`Role`].
    ports: [u16; 2],
    /// How much of the world's log was read.
    read: usize,
    /// What programs have dropped. It is closed as soon as it is known what time it is, for who drops must not ask:
    /// when a runtime ends, tokio's clock is the real one.
    dropped: Vec<Dropped>,
    /// They wait until every socket is gone.
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
    /// Those that listen, are about to be established, or wait to be accepted, oldest first.
    backlog: Vec<Name>,
    waker: Option<Waker>,
}

/// The first of the ephemeral ports: RFC 6335 section 6.
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

    /// From now on `check_run` decides, and what was is forgotten.
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

    /// What is done with a socket, and with the network it is on.
    pub(super) fn with<T>(&mut self, name: Name, what: impl FnOnce(&mut Socket, &mut Simulation) -> T) -> Option<T> {
        let Self { world, sockets, .. } = self;
        sockets.get_mut(&name).map(|socket| what(socket, world))
    }

    /// It is `now`. What was dropped is closed.
    pub(super) fn advance(&mut self, now: Millis) {
        self.world.now = self.world.now.max(now);
        for dropped in std::mem::take(&mut self.dropped) {
            match dropped {
                Dropped::Stream(name) => drop(self.with(name, |socket, world| socket.close(world))),
                Dropped::Listener(side, port) => self.stop(side, port),
            }
        }
    }

    /// A program has dropped something.
    pub(super) fn let_go(&mut self, what: Dropped) {
        self.dropped.push(what);
    }

    /// Lets everything that is due now happen, one packet after the other.
    pub(super) fn turn(&mut self) {
        self.pump();
        while self.world.arrive() {
            self.pump();
        }
    }

    /// Lets the stacks do everything that is due now.
    pub(super) fn pump(&mut self) {
        loop {
            self.world.egress();
            if !self.settle() {
                return;
            }
        }
    }

    /// When something happens next.
    pub(super) fn due(&mut self) -> Option<Millis> {
        let sockets = self.sockets.values().filter_map(Socket::due).min();
        self.world.due().into_iter().chain(sockets).min()
    }

    /// Does what Linux would do in this moment and the stacks do not; whether they have something to do then.
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

    /// Tells each socket why it is closed.
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

    /// Whether every socket but those that listen is CLOSED.
    pub(super) fn is_idle(&mut self) -> bool {
        let Self { world, sockets, .. } = self;
        sockets.values().all(|socket| socket.state(world) == TcpState::Listen || socket.is_over(world))
    }

    /// Whether `side` has a socket, but for those that listen.
    pub(super) fn has_any(&self, side: Role) -> bool {
        let Self { world, sockets, .. } = self;
        sockets.values().any(|socket| socket.side == side && socket.state(world) != TcpState::Listen)
    }

    /// Makes sure that one socket listens, and tells who waits to accept.
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

    /// Begins to listen.
    pub(super) fn listen(&mut self, side: Role, port: u16) -> io::Result<()> {
        let key = (side as usize, port);
        if port == 0 || self.listeners.contains_key(&key) {
            return Err(ErrorKind::AddrInUse.into());
        }
        self.listeners.insert(key, Listening::default());
        self.settle();
        Ok(())
    }

    /// The next connection that waits to be accepted.
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

    /// Listens no more: what was not accepted is reset.
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

    /// Sends SYN from an ephemeral port, or from `port`.
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

    /// A port of which no connection to `to` is left, not even in TIME-WAIT.
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

    /// The power of `side` is lost, and every socket with it.
    pub(super) fn power_down(&mut self, side: Role) {
        self.world.power_down(side);
        self.sockets.retain(|_, socket| socket.side != side);
        self.listeners.retain(|(owner, _), _| *owner != side as usize);
    }
}

/// Whether there is a connection that can be accepted.
fn is_there(state: TcpState) -> bool {
    !matches!(state, TcpState::Listen | TcpState::SynReceived)
}
