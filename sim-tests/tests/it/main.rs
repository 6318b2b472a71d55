//! The harness's own tests.

mod backends;
mod contract;

mod explore;
mod file;
mod http1;
mod ladders;
mod matrices;
mod mutants;
mod orders;

mod random;
mod trial;
mod turmoil;
mod websocket;
