//! The real client and server of `echo-net`, each on a TCP stack of its own, over a simulated link.

use crate::plan::{Millis, Refusal};
use crate::record::Record;
use crate::scenario::Scenario;

pub(super) fn run(_: &Scenario, _: Millis) -> Result<Record, Refusal> {
    Err(Refusal("the packet backend is being built".into()))
}
