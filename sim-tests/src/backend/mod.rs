//! Backends: what a scenario can be run on.

mod pair;
mod turmoil;

use crate::record::Record;
use crate::scenario::{Refusal, Scenario, pick};
use std::str::FromStr;

/// Something a scenario can be run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Backend {
    /// Two cores of `echo-core` and a queue of events, without any runtime.
    Pair,
    /// The real client and server of `echo-net` on turmoil's simulated network.
    Turmoil,
}

impl Backend {
    /// All backends.
    pub const ALL: [Self; 2] = [Self::Pair, Self::Turmoil];

    /// Its name.
    pub fn id(self) -> &'static str {
        match self {
            Self::Pair => "pair",
            Self::Turmoil => "turmoil",
        }
    }

    /// Runs `scenario`.
    ///
    /// # Errors
    /// A [`Refusal`] if the scenario makes no sense, or this backend cannot express it.
    pub fn run(self, scenario: &Scenario) -> Result<Record, Refusal> {
        scenario.check()?;
        match self {
            Self::Pair => Ok(pair::run(scenario)),
            Self::Turmoil => turmoil::run(scenario),
        }
    }
}

impl FromStr for Backend {
    type Err = Refusal;

    fn from_str(name: &str) -> Result<Self, Refusal> {
        pick("backend", name, &Self::ALL, Self::id)
    }
}
