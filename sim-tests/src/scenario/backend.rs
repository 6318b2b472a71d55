//! What a scenario can be run on.

use crate::support::{ScenarioError, pick};
use std::str::FromStr;

/// Something a scenario can be run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Backend {
    /// Two cores of `echo-core` and a queue of events, without any runtime.
    Pair,
    /// The real client and server of `echo-net` on turmoil's simulated network.
    Turmoil,
    /// The real client and server of `echo-net` on a TCP stack of their own each, over a simulated link.
    Packet,
}

impl Backend {
    /// All backends.
    pub const ALL: [Self; 3] = [Self::Pair, Self::Turmoil, Self::Packet];

    /// Those that know no packets: what is sent arrives, in order, sooner or later or never.
    pub const STREAMS: [Self; 2] = [Self::Pair, Self::Turmoil];

    /// Its name.
    pub fn id(self) -> &'static str {
        match self {
            Self::Pair => "pair",
            Self::Turmoil => "turmoil",
            Self::Packet => "packet",
        }
    }
}

impl FromStr for Backend {
    type Err = ScenarioError;

    fn from_str(name: &str) -> Result<Self, ScenarioError> {
        pick("backend", name, &Self::ALL, Self::id)
    }
}
