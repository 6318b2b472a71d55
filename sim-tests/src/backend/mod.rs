//! Backends: what runs a scenario. Three are simulators, the fourth is the Linux kernel.

#[cfg(feature = "packet")]
mod fault_injector;
mod faulty_links;
#[cfg(all(feature = "linux", target_os = "linux"))]
mod linux;
#[cfg(feature = "packet")]
mod packet;
mod pair;
#[cfg(any(feature = "turmoil", feature = "packet"))]
mod program;
mod read_pause;
#[cfg(feature = "turmoil")]
mod turmoil;
mod write_limit;

#[cfg(all(feature = "linux", feature = "trial", target_os = "linux"))]
pub(crate) use linux::do_after;
#[cfg(all(feature = "linux", target_os = "linux"))]
pub use linux::{LinuxNetwork, PairNetwork, do_on_linux, linux_worker, run_on_linux, run_scenario};
#[cfg(feature = "turmoil")]
pub use turmoil::every_order;

use crate::record::Record;
use crate::scenario::Backend;
use crate::scenario::Scenario;
use crate::scenario::defaults;
use crate::scenario::network::Rst;
use crate::support::{Millis, ScenarioError};

/// The smallest receive buffer that Linux gives to a program that asks for less, in bytes (tcp(7), `SO_RCVBUF`).
const SMALLEST_WINDOW: usize = 1_152;

/// Stub for a build without the feature: the backend has an id, and cannot run.
#[cfg(not(feature = "turmoil"))]
mod turmoil {
    use super::{Millis, Record, Scenario, ScenarioError};

    pub(super) fn run(_: &Scenario, _: Millis) -> Result<Record, ScenarioError> {
        Err(ScenarioError::Unsupported("this program was built without the feature turmoil".into()))
    }
}

/// The same stub for the packet backend.
#[cfg(not(feature = "packet"))]
mod packet {
    use super::{Millis, Record, Scenario, ScenarioError};

    pub(super) fn run(_: &Scenario, _: Millis) -> Result<Record, ScenarioError> {
        Err(ScenarioError::Unsupported("this program was built without the feature packet".into()))
    }
}

impl Backend {
    /// Runs `scenario` for at most [`defaults::budget`], the time that both ends can need.
    ///
    /// # Errors
    /// A [`ScenarioError`] if the scenario is not valid, this backend cannot express it, or the simulation fails.
    pub fn run(self, scenario: &Scenario) -> Result<Record, ScenarioError> {
        self.run_within(scenario, defaults::budget(scenario))
    }

    /// Runs `scenario` for at most `budget` milliseconds of virtual time. A run that is not over then is stopped; its
    /// record shows that.
    ///
    /// # Errors
    /// The same as those of [`Backend::run`].
    pub fn run_within(self, scenario: &Scenario, budget: Millis) -> Result<Record, ScenarioError> {
        scenario.check()?;
        self.expresses(scenario)?;
        match self {
            Self::Pair => Ok(pair::run(scenario, budget)),
            Self::Turmoil => turmoil::run(scenario, budget),
            Self::Packet => packet::run(scenario, budget),
            Self::Linux => Err(ScenarioError::Unsupported(
                "the backend linux runs only in a network namespace of its own (sim_tests::linux)".into(),
            )),
        }
    }

    /// Checks that this backend can express `scenario`.
    ///
    /// # Errors
    /// A [`ScenarioError`] of one line that names the unsupported setting and what the backend supports.
    pub fn expresses(self, scenario: &Scenario) -> Result<(), ScenarioError> {
        let network = &scenario.network;
        let why = match self {
            Self::Pair | Self::Turmoil if network.has_packets() => "has no packets; packet or linux expected",
            Self::Pair | Self::Turmoil => return Ok(()),
            Self::Packet if network.relay.is_some() => "has no third host for a relay; pair or turmoil expected",
            // TCP answers a RST beyond the received data with a challenge ACK (RFC 9293 3.10.7.4, RFC 5961 section 3).
            Self::Packet if network.rst == Rst::Overtakes => {
                "takes no RST before what was sent before it; pair or turmoil expected"
            }
            Self::Packet => return Ok(()),
            Self::Linux if network.relay.is_some() => "has no relay; pair or turmoil expected",
            Self::Linux if network.rst == Rst::Overtakes => {
                "takes no RST before what was sent before it; pair or turmoil expected"
            }
            Self::Linux if network.takes > 0 => {
                "has no receive buffer small enough for slow readers to matter; pair, turmoil or packet expected"
            }
            Self::Linux if (1..SMALLEST_WINDOW).contains(&network.window) => {
                "has no receive buffer of less than 1,152 bytes; packet expected"
            }
            Self::Linux => return Ok(()),
        };
        Err(ScenarioError::Unsupported(format!("the network {network}: the backend {} {why}", self.id())))
    }
}
