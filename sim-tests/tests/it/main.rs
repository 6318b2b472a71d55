//! The harness's own tests.

mod backends;
mod contract;
mod determinism;
mod explore;
mod file;
mod http1;
mod ladders;
mod mutants;
mod orders;
mod program;
mod random;
mod trial;
mod turmoil;
mod websocket;
