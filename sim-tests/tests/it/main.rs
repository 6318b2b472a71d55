//! The harness's own tests.

mod backends;
mod contract;
mod determinism;
mod explore;
mod ladders;
mod mutants;
mod program;
mod random;
mod turmoil;
