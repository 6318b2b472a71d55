//! The real client and server of `echo-net`, each on a TCP stack of its own, over a simulated link.
//!
//! Time is tokio's, and paused: it advances to the next event when all tasks wait. The stacks' clocks run
//! [`defaults::TCP_TIME_SCALE`](crate::scenario::defaults::TCP_TIME_SCALE) times as fast, because the harness's
//! deadlines are that much shorter than real ones.

mod simulation;

use self::simulation::Simulation;
use crate::record::Record;
use crate::scenario::Scenario;
use crate::support::{Millis, ScenarioError};
use tokio::runtime::Builder;
use tokio::task::LocalSet;

pub(super) fn run(scenario: &Scenario, budget: Millis) -> Result<Record, ScenarioError> {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.map_err(|error| ScenarioError::Run(format!("no runtime can be built: {error}")))?;
    LocalSet::new().block_on(&runtime, async {
        let mut simulation = Simulation::new(scenario).await?;
        let over_at = simulation.run(budget).await;
        simulation.record(scenario, over_at, budget)
    })
}
