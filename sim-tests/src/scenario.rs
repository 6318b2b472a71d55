//! A scenario: what each side and the network do, as a value with a stable id.

use crate::network::{Fault, Mark, Network};
use crate::plan::{Action, Plan, Point, Refusal, pick};
use echo_core::Role;
use std::fmt;
use std::str::FromStr;

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
