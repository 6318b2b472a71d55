//! The harness's own tests.

mod backends;
mod capture;
mod catalogue;
mod contract;
mod determinism;
mod endings;
mod explore;
mod fates;
mod file;
mod fuzz;
mod http1;
mod ladders;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
mod linux_closing;
#[cfg(target_os = "linux")]
mod linux_worker;
mod mutants;
mod numbers;
mod orders;
mod packets;
mod planted;
mod program;
mod program_output;
mod program_runs;
mod random;
mod regressions;
mod serialization;
mod streams;
mod trial;
mod turmoil;
mod websocket;
