//! `echo-sim linux-worker`: the process in a network namespace of its own that other commands start.

use crate::output::{Answer, Trouble};
use sim_tests::linux::Isolated;
use sim_tests::linux_worker;

pub(crate) fn run() -> Result<Answer, Trouble> {
    let isolated = Isolated::prove().map_err(|error| Trouble::Usage(error.to_string()))?;
    linux_worker(isolated).map_err(|error| Trouble::Failed(error.to_string()))?;
    Ok(Answer::new(String::new(), true))
}
