//! The same closures on the Linux kernel: real sockets in a network namespace, and the faults done to them for real. It
//! confirms what was found on the simulated network.
//!
//! The closures are in the program that called the trial, so this program starts itself again in a namespace of its own.
//! There it comes to the same trial again, which does the runs that it is told by its standard input.

mod confirm;
mod relay;
mod run;

pub use confirm::ConfirmedTrial;
