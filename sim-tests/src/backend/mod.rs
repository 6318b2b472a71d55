//! Backends: what a scenario can be run on.

mod pair;
mod turmoil;

use crate::plan::Refusal;
use crate::record::{Backend, Record};
use crate::scenario::Scenario;

impl Backend {
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
