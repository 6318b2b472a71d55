//! A scenario: what each side and the network do, as a value with a stable id.

use crate::network::{Fault, Mark, Network};
use echo_core::Role;
use std::fmt;
use std::str::FromStr;

/// Virtual time in milliseconds since the connection began.
pub type Millis = u64;

/// One conversation: two plans, a network and a wire.
///
/// Its id reads `wire/client:PLAN/server:PLAN/NETWORK`, with `/talk-N-N…` behind it when the requests are not the
/// usual ones; [`Scenario::from_str`] reads every id that [`fmt::Display`] writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// The wire.
    pub wire: Wire,
    /// What the client does.
    pub client: Plan,
    /// What the server does.
    pub server: Plan,
    /// What lies between.
    pub network: Network,
    /// The client's requests, by the size of their payloads. The first is made at once, the others together when it
    /// is answered.
    pub talk: Vec<usize>,
}

/// Which wire, and who is set to send FIN first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// echo/1 as it is by default: the client sends FIN first.
    Framed,
    /// echo/1 with a server that takes TIME_WAIT upon itself: it sends FIN first.
    FramedServerFin,
    /// Lines.
    Plain,
}

/// What one side does besides talking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Nothing: it only reacts.
    Nothing,
    /// One thing, at one point of the conversation.
    Do(Action, Point),
}

/// How a side ends its part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// As it should: the client closes, the server drains.
    Close,
    /// FIN from below the protocol, as a program that calls `shutdown(SHUT_WR)`; it reads on.
    HalfClose,
    /// The socket is closed under the protocol. With unread input that is RST, otherwise FIN.
    Drop,
    /// It reads no more, and closes the socket when there is unread input: RST.
    DropUnread,
    /// RST at once, as with linger time zero.
    Abort,
    /// The process dies, and its kernel closes the socket: as [`Action::Drop`], for the host as a whole.
    Crash,
    /// Power loss: from now on it sends nothing and hears nothing.
    Vanish,
}

/// A point of the conversation, defined by what was sent and got so far, and so the same on every backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// The client has the answer to its first request, and nothing is under way.
    Idle,
    /// The client has sent its second request, the server has not got it.
    RequestInFlight,
    /// The server has sent the answer to the second request, the client has not got it.
    AnswerInFlight,
    /// A GOAWAY was sent.
    Draining,
    /// A last word was sent, and the other side has not got it.
    LastWordInFlight,
    /// A FIN was sent.
    Finishing,
}

/// Why something is not a scenario, or cannot be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(pub String);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}

impl Scenario {
    /// A scenario with the usual requests: one, and a second if a plan or a fault needs it.
    pub fn new(wire: Wire, client: Plan, server: Plan, network: Network) -> Self {
        let mut scenario = Self { wire, client, server, network, talk: Vec::new() };
        scenario.talk = scenario.usual_talk();
        scenario
    }

    /// What `role` does.
    pub fn plan(&self, role: Role) -> Plan {
        match role {
            Role::Client => self.client,
            Role::Server => self.server,
        }
    }

    /// Whether `role` does something that a correct peer never does.
    pub fn misbehaves(&self, role: Role) -> bool {
        match self.plan(role) {
            Plan::Nothing | Plan::Do(Action::Close, _) => false,
            Plan::Do(
                Action::HalfClose | Action::Drop | Action::DropUnread | Action::Abort | Action::Crash | Action::Vanish,
                _,
            ) => true,
        }
    }

    /// Whether nothing but polite ends happens: no fault, and no side misbehaves.
    pub fn is_peaceful(&self) -> bool {
        self.network.faults.is_empty() && !self.misbehaves(Role::Client) && !self.misbehaves(Role::Server)
    }

    /// Says why this makes no sense, if so.
    ///
    /// # Errors
    /// A [`Refusal`] that names the part.
    pub fn check(&self) -> Result<(), Refusal> {
        let refuse = |text: String| Err(Refusal(text));
        if self.network.latency < 2 {
            return refuse("the latency must be at least 2 ms: a point in flight has to last".into());
        }
        if self.talk.is_empty() || self.talk.len() > 1000 || self.talk.iter().any(|size| *size > 1 << 20) {
            return refuse("between 1 and 1000 requests of at most 1 MiB each".into());
        }
        if self.wire == Wire::Plain {
            let points = [self.client, self.server].into_iter().filter_map(Plan::point);
            for point in points.chain(self.network.faults.iter().filter_map(Fault::point)) {
                if matches!(point, Point::Draining | Point::LastWordInFlight) {
                    return refuse(format!("the plain wire has no point {}: it has no such word", point.id()));
                }
            }
            for mark in self.network.faults.iter().filter_map(Fault::mark) {
                if matches!(mark, Mark::GoAway | Mark::LastWord) {
                    return refuse(format!("the plain wire has no {}", mark.id()));
                }
            }
        }
        Ok(())
    }

    fn usual_talk(&self) -> Vec<usize> {
        let points = [self.client, self.server].into_iter().filter_map(Plan::point);
        let in_flight = |point| matches!(point, Point::RequestInFlight | Point::AnswerInFlight);
        let second = points.chain(self.network.faults.iter().filter_map(Fault::point)).any(in_flight);
        if second { vec![16, 16] } else { vec![16] }
    }
}

impl Plan {
    /// At which point something is done.
    pub fn point(self) -> Option<Point> {
        match self {
            Self::Nothing => None,
            Self::Do(_, point) => Some(point),
        }
    }

    fn parse(text: &str) -> Result<Self, Refusal> {
        if text == "none" {
            return Ok(Self::Nothing);
        }
        let Some((action, point)) = text.split_once('@') else {
            return Err(Refusal(format!("a plan is none or ACTION@POINT, not {text:?}")));
        };
        Ok(Self::Do(Action::parse(action)?, Point::parse(point)?))
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("none"),
            Self::Do(action, point) => write!(f, "{}@{}", action.id(), point.id()),
        }
    }
}

impl Wire {
    /// All wires.
    pub const ALL: [Self; 3] = [Self::Framed, Self::FramedServerFin, Self::Plain];

    /// Its part of an id.
    pub fn id(self) -> &'static str {
        match self {
            Self::Framed => "framed",
            Self::FramedServerFin => "framed-server-fin",
            Self::Plain => "plain",
        }
    }

    /// Who the server's setting says sends FIN first; nobody on the plain wire, where whoever leaves does.
    pub fn first_fin(self) -> Option<Role> {
        match self {
            Self::Framed => Some(Role::Client),
            Self::FramedServerFin => Some(Role::Server),
            Self::Plain => None,
        }
    }
}

impl Action {
    /// All actions.
    pub const ALL: [Self; 7] =
        [Self::Close, Self::HalfClose, Self::Drop, Self::DropUnread, Self::Abort, Self::Crash, Self::Vanish];

    /// Its part of an id.
    pub fn id(self) -> &'static str {
        match self {
            Self::Close => "close",
            Self::HalfClose => "half-close",
            Self::Drop => "drop",
            Self::DropUnread => "drop-unread",
            Self::Abort => "abort",
            Self::Crash => "crash",
            Self::Vanish => "vanish",
        }
    }

    fn parse(text: &str) -> Result<Self, Refusal> {
        pick("action", text, &Self::ALL, Self::id)
    }
}

impl Point {
    /// All points.
    pub const ALL: [Self; 6] = [
        Self::Idle,
        Self::RequestInFlight,
        Self::AnswerInFlight,
        Self::Draining,
        Self::LastWordInFlight,
        Self::Finishing,
    ];

    /// Its part of an id.
    pub fn id(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::RequestInFlight => "request-in-flight",
            Self::AnswerInFlight => "answer-in-flight",
            Self::Draining => "draining",
            Self::LastWordInFlight => "last-word-in-flight",
            Self::Finishing => "finishing",
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        pick("point", text, &Self::ALL, Self::id)
    }
}

/// Finds the one whose id is `text`.
pub(crate) fn pick<T: Copy>(what: &str, text: &str, all: &[T], id: fn(T) -> &'static str) -> Result<T, Refusal> {
    all.iter().copied().find(|one| id(*one) == text).ok_or_else(|| {
        let known: Vec<_> = all.iter().map(|one| id(*one)).collect();
        Refusal(format!("no {what} {text:?}; there are {}", known.join(", ")))
    })
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/client:{}/server:{}/{}", self.wire.id(), self.client, self.server, self.network)?;
        if self.talk != self.usual_talk() {
            f.write_str("/talk")?;
            for size in &self.talk {
                write!(f, "-{size}")?;
            }
        }
        Ok(())
    }
}

impl FromStr for Scenario {
    type Err = Refusal;

    fn from_str(id: &str) -> Result<Self, Refusal> {
        let parts: Vec<&str> = id.split('/').collect();
        let (wire, client, server, network, talk) = match parts[..] {
            [wire, client, server, network] => (wire, client, server, network, None),
            [wire, client, server, network, talk] => (wire, client, server, network, Some(talk)),
            _ => return Err(Refusal(format!("an id is WIRE/client:PLAN/server:PLAN/NETWORK, not {id:?}"))),
        };
        let plan = |text: &str, side: &str| match text.strip_prefix(side).and_then(|rest| rest.strip_prefix(':')) {
            Some(plan) => Plan::parse(plan),
            None => Err(Refusal(format!("{side}:PLAN expected, not {text:?}"))),
        };
        let wire = pick("wire", wire, &Wire::ALL, Wire::id)?;
        let (client, server) = (plan(client, "client")?, plan(server, "server")?);
        let mut scenario = Self::new(wire, client, server, network.parse()?);
        if let Some(talk) = talk {
            let sizes: Result<Vec<usize>, _> =
                talk.strip_prefix("talk-").unwrap_or_default().split('-').map(str::parse).collect();
            scenario.talk = sizes.map_err(|_| Refusal(format!("talk-SIZE-SIZE… expected, not {talk:?}")))?;
        }
        scenario.check()?;
        Ok(scenario)
    }
}
