use crate::record::Record;
use crate::scenario::{Refusal, Scenario};
pub(super) fn run(scenario: &Scenario) -> Result<Record, Refusal> { Err(Refusal(format!("not yet {scenario}"))) }
