//! The harness's own tests.

mod backends;
mod contract;
mod determinism;
mod file;
mod ladders;
mod orders;
mod program;
mod random;
mod turmoil;
