//! Scenarios: what each side and the network do, as a value with a stable id.

mod backend;
pub mod defaults;
pub mod file;
pub(crate) mod network;
pub(crate) mod overrides;
pub(crate) mod payload;
pub(crate) mod plan;
pub(crate) mod reading;
pub(crate) mod scheduler;
mod wire;

pub use backend::Backend;
pub use wire::Wire;

use crate::scenario::network::{HeldContent, Network, NetworkFault, PacketSelector, Rst};
use crate::scenario::overrides::Overrides;
use crate::scenario::plan::{Action, Plan, Point, Step};
use crate::support::{ScenarioError, check_length, check_range, number, pick};
use echo_core::Role;
use payload::payload;
use std::fmt;
use std::str::FromStr;

/// One conversation: two plans, a network and a wire.
///
/// Its id is `wire/client:PLAN/server:PLAN/NETWORK`. Requests other than the usual ones add `/talk-N-N…`, and each of
/// its [`Overrides`] adds a part. [`Scenario::from_str`] reads every id that [`fmt::Display`] writes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scenario {
    /// The wire.
    pub wire: Wire,
    /// What the client does.
    pub client: Plan,
    /// What the server does.
    pub server: Plan,
    /// The network between them.
    pub network: Network,
    /// Payload sizes of the client's requests, in bytes. The first request is made at once, the others together when
    /// the first is answered.
    pub talk: Vec<usize>,
    /// The settings that differ from the defaults.
    pub overrides: Overrides,
}

#[cfg(feature = "serde")]
crate::support::serde_as_text!(Scenario);

/// Maximum bytes of the requests of a server with a handler: with more unanswered bytes a service stops reading.
const OWED: usize = 60_000;

impl Scenario {
    /// Creates a scenario with the usual requests: one, or two if a plan or a fault needs a second.
    pub fn new(wire: Wire, client: Plan, server: Plan, network: Network) -> Self {
        let mut scenario = Self { wire, client, server, network, talk: Vec::new(), overrides: Overrides::default() };
        scenario.talk = scenario.usual_talk();
        scenario
    }

    /// Returns the plan of `role`.
    pub fn plan(&self, role: Role) -> &Plan {
        match role {
            Role::Client => &self.client,
            Role::Server => &self.server,
        }
    }

    /// Returns the message of request `seq`, or `None` if there is no such request.
    pub fn payload(&self, seq: u64) -> Option<Vec<u8>> {
        let index = usize::try_from(seq).ok()?.checked_sub(1)?;
        self.talk.get(index).map(|size| payload(self.wire, seq, *size))
    }

    /// Returns whether `role` does something that a correct peer never does.
    pub fn misbehaves(&self, role: Role) -> bool {
        let deaf = self.plan(role.peer()).points().any(|point| point == Point::PeerNotReading);
        deaf || self.plan(role).misbehaves() || (role == Role::Client && self.asks_too_much())
    }

    /// Returns whether the client makes a request that exceeds the server's limit.
    pub fn asks_too_much(&self) -> bool {
        let over = |seq: usize, limit| self.payload(seq as u64).is_some_and(|payload| payload.len() > limit);
        self.wire != Wire::Plain
            && self.overrides.limit.is_some_and(|limit| (1..=self.talk.len()).any(|seq| over(seq, limit)))
    }

    /// Returns whether all ends are polite: no fault, and no side misbehaves.
    pub fn is_peaceful(&self) -> bool {
        self.network.is_faithful() && !self.misbehaves(Role::Client) && !self.misbehaves(Role::Server)
    }

    /// Returns the runs of this scenario: itself, or two where TCP lets a race go either way.
    pub fn runs(&self) -> Vec<Self> {
        let with = |rst| Self { network: Network { rst, ..self.network.clone() }, ..self.clone() };
        match self.network.rst {
            Rst::InOrder | Rst::Overtakes => vec![self.clone()],
            Rst::Races => vec![with(Rst::InOrder), with(Rst::Overtakes)],
        }
    }

    /// Checks that the scenario makes sense.
    ///
    /// # Errors
    /// A [`ScenarioError`] that names the wrong part.
    pub fn check(&self) -> Result<(), ScenarioError> {
        let refuse = |text: String| Err(ScenarioError::Parse(text));
        check_range("the number of requests", self.talk.len() as u64, 1..=1000)?;
        for size in &self.talk {
            check_range("the size of a request, in bytes,", *size as u64, 0..=1 << 20)?;
        }
        let talk = self.talk.iter().sum();
        check_range("all requests together, in bytes,", talk as u64, 0..=16 << 20)?;
        self.network.check(talk)?;
        for plan in [&self.client, &self.server] {
            check_range("the number of steps of a plan", plan.steps.len() as u64, 0..=16)?;
        }
        if let Some(point) =
            self.network.faults.iter().filter_map(NetworkFault::point).find(|point| point.is_of_one_side())
        {
            return refuse(format!("a cut cannot wait for {}, which is a point of one side only", point.id()));
        }
        if self.network.faults.iter().filter_map(NetworkFault::point).any(|point| point == Point::Connecting) {
            return refuse("a cut at connecting leaves no conversation: cut-idle is the earliest cut".into());
        }
        self.overrides.check()?;
        if self.overrides.handler.is_some() && talk > OWED {
            return refuse(format!("with a handler all requests must have at most {OWED} bytes together, not {talk}"));
        }
        if let Some(plan) = [&self.client, &self.server].into_iter().find(|plan| plan.breaks_bytes()) {
            let inside = "in-preface and inside-frame hold back half of a message";
            return refuse(format!("violate in {plan} would break bytes, not the order of messages: {inside}"));
        }
        for step in self.client.steps.iter().chain(&self.server.steps) {
            self.check_step(*step)?;
        }
        if self.wire == Wire::Plain {
            for fault in &self.network.faults {
                if let NetworkFault::Packet { which: PacketSelector::First { carries, .. }, .. } = fault
                    && fault.needs_words()
                {
                    return refuse(format!("the plain wire has no {}", carries.id()));
                }
            }
            for mark in self.network.faults.iter().filter_map(NetworkFault::mark) {
                if matches!(mark, HeldContent::GoAway | HeldContent::Close) {
                    return refuse(format!("the plain wire has no {}", mark.id()));
                }
            }
            let mut points = self.network.faults.iter().filter_map(NetworkFault::point);
            if let Some(point) = points.find(|point| point.is_framed()) {
                return refuse(format!("the plain wire has no point {}: it has no such frame", point.id()));
            }
        }
        Ok(())
    }

    fn check_step(&self, Step { action, point }: Step) -> Result<(), ScenarioError> {
        if self.wire == Wire::Plain && point.is_framed() {
            return Err(ScenarioError::Parse(format!(
                "the plain wire has no point {}: it has no such frame",
                point.id()
            )));
        }
        if action != Action::Violate {
            return Ok(());
        }
        if self.wire == Wire::Plain {
            return Err(ScenarioError::Parse("the plain wire has no rule that violate can break".into()));
        }
        match point {
            Point::Connecting | Point::InPreface | Point::InsideFrame | Point::PeerNotReading => {
                Err(ScenarioError::Parse(format!(
                    "violate@{} would break a preface or a frame, not the order of messages",
                    point.id()
                )))
            }
            Point::Idle | Point::RequestInFlight | Point::AnswerInFlight | Point::Draining | Point::AfterGoAway => {
                Ok(())
            }
            Point::CloseInFlight | Point::AfterClose | Point::Finishing | Point::AfterFin => Ok(()),
        }
    }

    fn usual_talk(&self) -> Vec<usize> {
        let points = self.client.points().chain(self.server.points());
        let second = points.chain(self.network.faults.iter().filter_map(NetworkFault::point)).any(Point::needs_two);
        if second { vec![16, 16] } else { vec![16] }
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
        write!(f, "{}", self.overrides)
    }
}

impl FromStr for Scenario {
    type Err = ScenarioError;

    fn from_str(id: &str) -> Result<Self, ScenarioError> {
        check_length("an id", id)?;
        let parts: Vec<&str> = id.split('/').collect();
        let [wire, client, server, network, more @ ..] = &parts[..] else {
            return Err(ScenarioError::Parse(format!(
                "expected an id WIRE/client:PLAN/server:PLAN/NETWORK, got {id:?}"
            )));
        };
        let plan = |text: &str, side: &str| match text.strip_prefix(side).and_then(|rest| rest.strip_prefix(':')) {
            Some(plan) => Plan::parse(plan),
            None => Err(ScenarioError::Parse(format!("expected {side}:PLAN, got {text:?}"))),
        };
        let wire = pick("wire", wire, &Wire::ALL, Wire::id)?;
        let (client, server) = (plan(client, "client")?, plan(server, "server")?);
        let mut scenario = Self::new(wire, client, server, network.parse()?);
        for part in more {
            match part.strip_prefix("talk-") {
                Some(sizes) => scenario.talk = talk(sizes.split('-'))?,
                None => scenario.overrides.part(part).unwrap_or_else(|| {
                    let known = "talk-SIZE-SIZE…, limit-SIZE, handler-MS or deadline-NAME-MS";
                    Err(ScenarioError::Parse(format!("expected {known} after the network, got {part:?}")))
                })?,
            }
        }
        scenario.check()?;
        Ok(scenario)
    }
}

/// Parses the sizes of requests, in bytes.
pub(crate) fn talk<'a>(sizes: impl Iterator<Item = &'a str>) -> Result<Vec<usize>, ScenarioError> {
    let size = |text: &str| {
        number(text)
            .ok_or_else(|| ScenarioError::Parse(format!("expected the size of a request in bytes, got {text:?}")))
    };
    sizes.map(size).collect()
}
