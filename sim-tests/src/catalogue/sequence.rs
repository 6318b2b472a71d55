//! A close sequence of the catalogue.

use crate::check::oracle::Expectation;
use crate::scenario::Scenario;

/// A close sequence.
#[derive(Clone, Debug)]
pub struct Sequence {
    /// Its stable id.
    pub id: String,
    /// What both sides and the network do.
    pub scenario: Scenario,
    /// The oracle's expectation.
    pub expectation: Expectation,
}
