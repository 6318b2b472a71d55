//! The backends that can run a scenario.

use crate::support::{ScenarioError, pick};
use std::str::FromStr;

/// A backend: runs a scenario and gives a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
pub enum Backend {
    /// Two cores of `echo-core` and a queue of events, without any runtime.
    Pair,
    /// The real client and server of `echo-net` on turmoil's simulated network.
    Turmoil,
    /// The real client and server of `echo-net`, each on its own TCP stack, over a simulated link.
    Packet,
    /// The real client and server of `echo-net` on the Linux kernel, in a network namespace of the harness's own.
    Linux,
}

impl Backend {
    /// All backends.
    pub const ALL: [Self; 4] = [Self::Pair, Self::Turmoil, Self::Packet, Self::Linux];

    /// The backends with virtual time. They are deterministic.
    pub const SIMULATORS: [Self; 3] = [Self::Pair, Self::Turmoil, Self::Packet];

    /// The backends without packets. Data arrives in order, possibly late, or never.
    pub const STREAMS: [Self; 2] = [Self::Pair, Self::Turmoil];

    /// Returns its name.
    pub fn id(self) -> &'static str {
        match self {
            Self::Pair => "pair",
            Self::Turmoil => "turmoil",
            Self::Packet => "packet",
            Self::Linux => "linux",
        }
    }
}

impl FromStr for Backend {
    type Err = ScenarioError;

    fn from_str(name: &str) -> Result<Self, ScenarioError> {
        pick("backend", name, &Self::ALL, Self::id)
    }
}
