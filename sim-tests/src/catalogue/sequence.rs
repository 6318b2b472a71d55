//! A close sequence of the catalogue.

use crate::check::oracle::Expectation;
use crate::scenario::Scenario;

/// A close sequence.
#[derive(Clone, Debug)]
pub struct Sequence {
    /// Its stable id.
    pub id: String,
    /// What is done.
    pub scenario: Scenario,
    /// What may come of it.
    pub expectation: Expectation,
}
