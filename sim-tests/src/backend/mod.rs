//! Backends: what a scenario can be run on.

mod faulty_links;
#[cfg(feature = "packet")]
mod packet;
mod pair;
#[cfg(any(feature = "turmoil", feature = "packet"))]
mod program;
mod read_pause;
#[cfg(feature = "turmoil")]
mod turmoil;
mod write_limit;

#[cfg(feature = "turmoil")]
pub use turmoil::every_order;

use crate::record::Record;
use crate::scenario::Backend;
use crate::scenario::Scenario;
use crate::scenario::defaults;
use crate::scenario::network::Rst;
use crate::support::{Millis, ScenarioError};

/// Without its feature a backend can be named, and not run.
#[cfg(not(feature = "turmoil"))]
mod turmoil {
    use super::{Millis, Record, Scenario, ScenarioError};

    pub(super) fn run(_: &Scenario, _: Millis) -> Result<Record, ScenarioError> {
        Err(ScenarioError::Unsupported("this program was built without the feature turmoil".into()))
    }
}

/// As above.
#[cfg(not(feature = "packet"))]
mod packet {
    use super::{Millis, Record, Scenario, ScenarioError};

    pub(super) fn run(_: &Scenario, _: Millis) -> Result<Record, ScenarioError> {
        Err(ScenarioError::Unsupported("this program was built without the feature packet".into()))
    }
}

impl Backend {
    /// Runs `scenario` for as long as both ends may take ([`defaults::budget`]).
    ///
    /// # Errors
    /// A [`ScenarioError`] if the scenario makes no sense, or this backend cannot express it.
    pub fn run(self, scenario: &Scenario) -> Result<Record, ScenarioError> {
        self.run_within(scenario, defaults::budget(scenario))
    }

    /// Runs `scenario` for at most `budget` milliseconds of virtual time. What is not over then is stopped, and its
    /// record says so.
    ///
    /// # Errors
    /// As [`Backend::run`].
    pub fn run_within(self, scenario: &Scenario, budget: Millis) -> Result<Record, ScenarioError> {
        scenario.check()?;
        self.expresses(scenario)?;
        match self {
            Self::Pair => Ok(pair::run(scenario, budget)),
            Self::Turmoil => turmoil::run(scenario, budget),
            Self::Packet => packet::run(scenario, budget),
        }
    }

    /// Says why this backend cannot do what `scenario` asks for, if so.
    ///
    /// # Errors
    /// A [`ScenarioError`] of one line that names what came and what would be right.
    pub fn expresses(self, scenario: &Scenario) -> Result<(), ScenarioError> {
        let network = &scenario.network;
        let why = match self {
            Self::Pair | Self::Turmoil if network.has_packets() => "has no packets; only the backend packet has",
            Self::Pair | Self::Turmoil => return Ok(()),
            Self::Packet if network.relay.is_some() => "has no third host for a relay; pair or turmoil expected",
            // A RST beyond what was received gets a challenge ACK (RFC 9293 3.10.7.4, RFC 5961 section 3).
            Self::Packet if network.rst == Rst::Overtakes => {
                "takes no RST before what was sent before it; pair or turmoil expected"
            }
            Self::Packet => return Ok(()),
        };
        Err(ScenarioError::Unsupported(format!("the network {network}: the backend {} {why}", self.id())))
    }
}
