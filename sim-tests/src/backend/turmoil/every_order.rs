//! All orders in which packets can be delivered: the real client and server of `echo-net`, run once for each.
//!
//! A step of turmoil delivers at least one of the packets in flight. In each direction it delivers the first ones,
//! because TCP keeps their order. The number of packets in a step matters, because a program then finds them all at
//! once. The time that a packet takes does not matter, as long as no deadline passes.

use super::choices::Choices;
use super::simulation::{Timing, run_as};
use crate::record::Record;
use crate::scenario::Backend;
use crate::scenario::Scenario;
use crate::scenario::defaults;
use crate::support::ScenarioError;

/// Runs `scenario` in every order of delivery, and gives each record to `look`, which returns whether to continue.
/// Returns the number of runs, and whether these were all.
///
/// # Errors
/// A [`ScenarioError`] if the scenario is not valid, or its network restricts when packets arrive.
pub fn every_order(scenario: &Scenario, mut look: impl FnMut(Record) -> bool) -> Result<(u64, bool), ScenarioError> {
    scenario.check()?;
    Backend::Turmoil.expresses(scenario)?;
    if scenario.network.relay.is_some() || scenario.network.batch > 0 || !scenario.network.faults.is_empty() {
        return Err(ScenarioError::Unsupported(format!(
            "{} says when packets arrive: it has one order",
            scenario.network
        )));
    }
    let budget = defaults::budget(scenario);
    let mut choices = Choices::default();
    let mut count = 0;
    loop {
        let (record, timing) = run_as(scenario, budget, Timing::Choices(choices))?;
        count += 1;
        let go_on = look(record);
        let next = match timing {
            Timing::Choices(choices) => choices.next(),
            Timing::Links => None,
        };
        match next {
            None => return Ok((count, true)),
            Some(_) if !go_on => return Ok((count, false)),
            Some(next) => choices = next,
        }
    }
}
