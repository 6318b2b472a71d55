//! Fidelity: where the simulated networks differ from Linux, as a table that is checked (FIDELITY.md).

mod comparison;
mod stacks;
mod table;

pub use comparison::{Comparison, Distribution};
pub use stacks::{PROGRAMS, StackProgram};
pub use table::{Differences, Kind, Mismatch, TABLE};

use crate::backend::{LinuxNetwork, run_scenario};
use serde_json::Value;

/// Does a job of a worker: it runs a scenario, given by its id, or a stack program ([`StackProgram::job`]).
///
/// # Errors
/// The text of what failed.
pub async fn job(network: LinuxNetwork, job: String) -> Result<Value, String> {
    match stacks::observe(&network, &job).await {
        Some(observed) => observed.map(Value::String),
        None => run_scenario(network, job).await,
    }
}
