//! The real client and server of `echo-net` on turmoil, with this crate's links as the network.
//!
//! turmoil holds every packet, and the links decide when each is delivered, so that packets arrive as on the pair. Two
//! differences of turmoil's sockets remain. They cannot send RST on demand: the FIN of the dropped socket is turned
//! into a RST on the links. A closed socket answers FIN with RST, where Linux acknowledges it: the peer has ended
//! by then, so no program sees this.

mod choices;
mod every_order;
mod host_clock;
mod hosts;
mod in_flight;
mod packet_transfer;
mod simulation;

pub use every_order::every_order;

use crate::record::Record;
use crate::scenario::Scenario;
use crate::support::{Millis, ScenarioError};
use simulation::{Timing, run_as};

pub(super) fn run(scenario: &Scenario, budget: Millis) -> Result<Record, ScenarioError> {
    run_as(scenario, budget, Timing::Links).map(|(record, _)| record)
}
