//! The real client and server of `echo-net` on the Linux kernel: real sockets, real time, in a network namespace of the
//! harness's own. Every packet passes through the harness, which delays, loses or cuts off what the scenario says.
//!
//! All deadlines are [`SLOWER`] times as long as on the simulators, because a process of a busy machine may stand still
//! for tens of milliseconds. The kernel's own timers of TCP are as they are. The times of a record are divided by the same
//! number, so that they can be compared.

mod connection;
mod holder;
mod net;
mod pair;
mod router;
mod run;
mod worker;

pub use pair::PairNetwork;
pub use run::LinuxNetwork;
#[cfg(feature = "trial")]
pub(crate) use worker::do_after;
pub use worker::{do_on_linux, linux_worker, run_on_linux, run_scenario};

/// How many times longer than on the simulators a deadline or a limited fault is.
const SLOWER: u32 = 5;
