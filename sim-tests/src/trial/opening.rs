//! How a connection is opened: SYN, SYN|ACK and ACK, and what becomes of them.

use super::connection::{Connection, End};
use super::errors::system_error;
use super::kernel::Kernel;
use super::run::TrialEvent;
use super::scenario::InjectedFault;
use super::socket::Holder;
use crate::network::PacketKind;
use crate::support::Millis;
use echo_core::Role;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::task::{Context, Poll, Waker};

/// The time of what never comes.
const NEVER: Millis = Millis::MAX;
/// Linux sends a SYN again after 1 s, 3 s, 7 s and so on, so often, and gives up at the next time, after 127 s
/// (`net.ipv4.tcp_syn_retries`).
const SYN_RETRIES: u32 = 6;
/// The port of a trial of one stream.
pub(super) const PORT: u16 = 80;
/// The first port of those who connect.
const FIRST_EPHEMERAL: u16 = 49_152;

/// A `connect` that has not returned.
#[derive(Debug)]
pub(super) struct Opening {
    opener: Role,
    begun: Millis,
    step: Step,
    /// How often the SYN was sent again.
    retries: u32,
    fault: Option<InjectedFault>,
    waker: Option<Waker>,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// The SYN arrives at this time.
    Syn(Millis),
    /// The answer arrives at this time.
    Answer(Millis, Answer),
    /// The answer waits for the program.
    Answered(Answer),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Accepted,
    /// By a machine between, which closes it at once.
    AcceptedAndClosed,
    Failed(ErrorKind),
}

impl Kernel {
    /// Connects both ends, as they are in a trial of one stream.
    pub(super) fn connect_both(&mut self) {
        let addresses = addresses(Role::Client, 0, PORT);
        self.connections.push(Connection::new(Role::Client, self.scenario.network.path(), addresses));
    }

    pub(super) fn address(&self, end: End) -> SocketAddr {
        self.connections[end.connection].addresses[end.side as usize]
    }

    /// Begins to connect to `port` of the other side.
    pub(super) fn connect(&mut self, opener: Role, port: u16) -> End {
        let end = End { connection: self.connections.len(), side: opener };
        let addresses = addresses(opener, self.connections.len(), port);
        let mut between = Connection::new(opener, self.scenario.network.path(), addresses);
        between.sockets.iter_mut().for_each(|socket| socket.holder = Holder::Nobody);
        let (begun, fault) = (self.now, self.side_mut(opener).next_connect.take());
        let step = Step::Syn(begun + self.latency());
        between.opening = Some(Opening { opener, begun, step, retries: 0, fault, waker: None });
        self.connections.push(between);
        end
    }

    pub(super) fn poll_connect(&mut self, end: End, cx: &Context<'_>) -> Poll<io::Result<()>> {
        let is_stopped = self.is_stopped(end.side);
        let Some(opening) = self.connection(end).opening.as_mut().filter(|_| !is_stopped) else {
            return Poll::Pending;
        };
        let Step::Answered(answer) = opening.step else {
            opening.waker = Some(cx.waker().clone());
            return Poll::Pending;
        };
        self.connection(end).opening = None;
        if let Answer::Failed(kind) = answer {
            self.event_at(end, TrialEvent::ConnectFailed(kind));
            return Poll::Ready(Err(system_error(kind)));
        }
        self.socket_mut(end).holder = Holder::Program;
        self.event_at(end, TrialEvent::Connected);
        Poll::Ready(Ok(()))
    }

    /// Gives up a `connect`.
    pub(super) fn cancel_connect(&mut self, end: End) {
        let Some(opening) = self.connection(end).opening.take() else { return };
        if let Step::Answered(Answer::Accepted | Answer::AcceptedAndClosed) = opening.step {
            self.take_away(end);
        }
    }

    /// Gives up what `side` was opening.
    pub(super) fn cancel_openings(&mut self, side: Role) {
        let is_of = |opening: &Opening| opening.opener == side;
        let ends =
            self.ends_of(side).filter(|end| self.connections[end.connection].opening.as_ref().is_some_and(is_of));
        for end in ends.collect::<Vec<_>>() {
            self.cancel_connect(end);
        }
    }

    /// Delivers the packets of handshakes that are due.
    pub(super) fn open_connections(&mut self) {
        for connection in 0..self.connections.len() {
            let now = self.now;
            let between = &mut self.connections[connection];
            if let Some(opening) = &between.opening {
                let end = End { connection, side: opening.opener };
                match opening.step {
                    Step::Syn(due) if due <= now => self.arrives(end),
                    Step::Answer(due, answer) if due <= now => self.answered(end, answer),
                    Step::Syn(_) | Step::Answer(..) | Step::Answered(_) => (),
                }
            }
            self.acknowledge(connection);
        }
    }

    /// A SYN of `end` arrives, or is lost.
    fn arrives(&mut self, end: End) {
        let answer = self.answer(end);
        let (latency, now) = (self.latency(), self.now);
        let Some(opening) = &mut self.connection(end).opening else { return };
        opening.step = match answer {
            Some(answer) => Step::Answer(now + latency, answer),
            None if opening.retries < SYN_RETRIES => {
                opening.retries += 1;
                Step::Syn(opening.begun + waited(opening.retries) + latency)
            }
            None => {
                let given_up = opening.begun + waited(SYN_RETRIES + 1);
                Step::Answer(given_up, Answer::Failed(ErrorKind::TimedOut))
            }
        };
    }

    /// The answer to a SYN of `end`; `None` if there is none.
    fn answer(&mut self, end: End) -> Option<Answer> {
        let (to, port) = (end.side.peer(), self.port(end));
        let is_relayed = self.scenario.network.is_relay();
        match self.connections[end.connection].opening.as_ref()?.fault {
            Some(InjectedFault::Ignore) => None,
            Some(InjectedFault::Refuse) => Some(Answer::Failed(ErrorKind::ConnectionRefused)),
            Some(InjectedFault::AcceptAndClose) => Some(Answer::AcceptedAndClosed),
            _ if self.cut_until().is_some() || self.side(to).dark => None,
            _ if self.listeners[to as usize].has(port) => Some(Answer::Accepted),
            // A relay accepts before it connects.
            _ if is_relayed => Some(Answer::AcceptedAndClosed),
            _ => Some(Answer::Failed(ErrorKind::ConnectionRefused)),
        }
    }

    fn answered(&mut self, end: End, answer: Answer) {
        let (cut, now, latency) = (self.cut_until(), self.now, self.latency());
        let between = self.connection(end);
        let Some(opening) = &mut between.opening else { return };
        if let (Some(until), false) = (cut, answer == Answer::Failed(ErrorKind::TimedOut)) {
            opening.step = Step::Answer(until, answer);
            return;
        }
        opening.step = Step::Answered(answer);
        let waker = opening.waker.take();
        self.wakers.extend(waker);
        match answer {
            Answer::Accepted => self.connection(end).ack_due = Some(now + latency),
            Answer::AcceptedAndClosed => self.sever(end, PacketKind::Fin),
            Answer::Failed(_) => (),
        }
    }

    /// The ACK that completes a handshake: the connection waits to be accepted.
    fn acknowledge(&mut self, connection: usize) {
        let cut = self.cut_until();
        let Some(due) = self.connections[connection].ack_due.filter(|due| *due <= self.now) else { return };
        self.connections[connection].ack_due = cut.map(|until| until.max(due));
        if cut.is_none() {
            let end = End { connection, side: self.connections[connection].opener.peer() };
            if !self.side(end.side).dark {
                let port = self.port(end.peer());
                self.enqueue(end, port);
            }
        }
    }

    /// The port that `end` connects to.
    fn port(&self, end: End) -> u16 {
        self.address(end.peer()).port()
    }

    /// Until when the network is cut, if it is.
    fn cut_until(&self) -> Option<Millis> {
        self.cut.map(|until| until.unwrap_or(NEVER)).filter(|until| *until > self.now)
    }

    fn latency(&self) -> Millis {
        self.scenario.network.path().latency
    }
}

/// How long the SYN that is sent again for the `retries`th time comes after the first.
fn waited(retries: u32) -> Millis {
    ((1 << retries) - 1) * 1000
}

/// The addresses of the connection with this index, by [`Role`].
pub(super) fn addresses(opener: Role, index: usize, port: u16) -> [SocketAddr; 2] {
    let own = FIRST_EPHEMERAL.saturating_add(u16::try_from(index).unwrap_or(u16::MAX));
    Role::BOTH.map(|side| SocketAddr::new(ip(side), if side == opener { own } else { port }))
}

pub(super) fn ip(side: Role) -> IpAddr {
    IpAddr::V4(match side {
        Role::Client => Ipv4Addr::new(10, 0, 0, 1),
        Role::Server => Ipv4Addr::new(10, 0, 0, 2),
    })
}
