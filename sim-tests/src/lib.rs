//! Every way an echo/1 conversation can end, as data that can be run, replayed and judged.
//!
//! Data flows one way: a [`Scenario`] (what each side and the network do) is run by a [`Backend`], which gives a
//! [`Record`] (what happened, in order); [`check`] holds it against the close contract, [`report`] shows it.
//!
//! ```
//! use sim_tests::{Backend, Scenario, check, report};
//!
//! let scenario: Scenario = "framed/client:close@answer-in-flight/server:none/clear".parse()?;
//! let record = Backend::Pair.run(&scenario)?;
//! assert_eq!(check(&record), []);
//! println!("{}", report::ladder(&record, true));
//! # Ok::<(), sim_tests::Refusal>(())
//! ```
//!
//! Nothing here reads a clock or draws a number: time is virtual, and the same scenario gives the same record in
//! every process. Whoever wants random schedules draws scenarios, which are plain values with an id.
#![forbid(unsafe_code)]

mod backend;
mod board;
pub mod catalogue;
mod director;
mod ear;
pub mod explore;
mod invariants;
mod link;
mod network;
mod plan;
mod record;
pub mod report;
mod scenario;
pub mod setting;

pub use board::{Board, Entry, Unit, What};
pub use invariants::{Breach, Rule, check};
pub use network::{Fault, Mark, Network, Span, Whose};
pub use plan::{Action, Millis, Plan, Point, Refusal};
pub use record::{Backend, Ending, Record, fnv};
pub use scenario::{Scenario, Wire};
