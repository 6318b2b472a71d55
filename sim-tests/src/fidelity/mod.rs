//! Fidelity: where the simulated networks differ from Linux, as a table that is checked.

mod comparison;

pub use comparison::Comparison;
