//! Learns how a program behaves from outside: its states, and what it answers in each to every input.
//!
//! [`learn`] asks a [`System`] words of an alphabet, and returns the smallest machine that answers as it does. What it knows
//! of the system are these answers. Two machines are compared by [`Mealy::difference`].
//!
//! ```
//! use sim_tests::learn::learn;
//!
//! // A door that can be opened only when it is unlocked.
//! let mut door = |word: &[&str]| {
//!     let mut locked = true;
//!     let mut answer = |input: &&str| match *input {
//!         "key" => { locked = !locked; "click" }
//!         _ if locked => "nothing",
//!         _ => "open",
//!     };
//!     Ok(word.iter().map(&mut answer).collect::<Vec<_>>())
//! };
//! let learned = learn(&mut door, &["key", "handle"], 2)?;
//! assert_eq!(learned.machine.to_string(), "\
//! 0: key / click → 1
//! 0: handle / nothing → 0
//! 1: key / click → 0
//! 1: handle / open → 1
//! ");
//! # Ok::<(), String>(())
//! ```
#![cfg_attr(
    all(feature = "trial", feature = "turmoil"),
    doc = "\nThe systems of this crate are echo-net's server ([`server`]) and client ([`client`]), behind a simulated network."
)]

#[cfg(all(feature = "trial", feature = "turmoil"))]
pub mod client;
mod learner;
mod mealy;
#[cfg(all(feature = "trial", feature = "turmoil"))]
mod observer;
#[cfg(all(feature = "trial", feature = "turmoil"))]
pub mod server;

pub use learner::{Learned, System, learn};
pub use mealy::{Difference, Mealy};
