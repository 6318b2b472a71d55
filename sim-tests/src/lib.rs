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
//! The harness for somebody else's protocol, two closures over a stream, is the module `trial` (feature `turmoil`).
//!
//! Nothing here reads a clock or draws a number: time is virtual, and the same scenario gives the same record in
//! every process. Whoever wants random schedules draws scenarios, which are plain values with an id.
#![forbid(unsafe_code)]

mod backend;
mod board;
pub mod catalogue;
pub mod crew;
mod difference;
mod director;
mod ear;
pub mod explore;
#[cfg(feature = "packet")]
pub mod faults;
pub mod file;
#[cfg(feature = "fuzz")]
pub mod fuzz;
mod gate;
pub mod in_memory;
mod invariants;
pub mod ledger;
mod link;
mod network;
pub mod oracle;
#[cfg(feature = "packet")]
pub mod packet;
pub mod pairs;
#[cfg(feature = "packet")]
pub mod pcapng;
mod plan;
mod post;
#[cfg(feature = "random")]
pub mod random;
mod record;
mod relay;
pub mod report;
mod scenario;
pub mod setting;
mod shard;
pub mod tcp;
mod throttle;
#[cfg(feature = "turmoil")]
pub mod trial;
mod tuning;

#[cfg(feature = "turmoil")]
pub use backend::every_order;
pub use board::{Board, Entry, Unit, What};
pub use invariants::{Breach, Rule, check};
pub use network::{Carries, Fault, Mark, Network, Rst, Span, Which, Whose};
pub use plan::{Action, Millis, Plan, Point, Refusal, Step};
pub use record::{Backend, Ending, Record, fnv};
pub use relay::Relay;
pub use scenario::{Scenario, Wire};
pub use shard::Shard;
pub use tuning::Tuning;
