//! The real client and server of `echo-net` on turmoil, with this crate's links as the network.
//!
//! turmoil holds every packet, and the links say when each is delivered, so a packet takes the same way here and on
//! the pair. Two things turmoil cannot do are done here: a RST on demand is the FIN of the socket that was dropped,
//! turned into a RST on the way; and a socket that was closed and gets a FIN answers with RST in turmoil, though
//! Linux would acknowledge it - the peer has ended by then, so nobody sees the difference.

mod choices;
mod every_order;
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
