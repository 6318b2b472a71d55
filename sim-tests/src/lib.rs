//! Every way an echo/1 conversation can end, as data that can be run, replayed and checked.
//!
//! Data flows one way. A [`Scenario`] defines what each side and the network do. A [`Backend`] runs it and returns a
//! [`Record`]: what happened, in order. [`check`](fn@check) compares the record with the close contract, and [`ladder`]
//! shows it as text.
//!
//! ```
//! use sim_tests::{Backend, Scenario, check, ladder};
//!
//! let scenario: Scenario = "framed/client:close@answer-in-flight/server:none/clear".parse()?;
//! let record = Backend::Pair.run(&scenario)?;
//! assert_eq!(check(&record), []);
//! println!("{}", ladder::ladder(&record, true));
//! # Ok::<(), sim_tests::ScenarioError>(())
//! ```
//!
//! The module `trial` (feature `turmoil`) is the harness for any other protocol: it takes two closures over a stream.
//!
//! Nothing here reads a clock or is random. Time is virtual, and the same scenario gives the same record in every
//! process. For random schedules, draw random scenarios, which are plain values with an id.
#![forbid(unsafe_code)]

mod backend;
pub mod catalogue;
pub mod check;
#[cfg(feature = "fuzz")]
pub mod fuzz;
pub mod in_memory;
mod network;
#[cfg(feature = "packet")]
pub mod packet;
pub mod record;
pub mod scenario;
pub mod search;
pub mod support;
pub mod tcp;
#[cfg(feature = "turmoil")]
pub mod trial;

#[cfg(feature = "turmoil")]
pub use backend::every_order;
pub use check::contract::check;
pub use check::contract_rule::ContractRule;
pub use check::oracle;
pub use check::tcp_rules::{TcpRule, check_tcp};
pub use network::relay::Relay;
pub use record::event_log::{EventLog, LogEntry, LogEvent, Unit};
#[cfg(feature = "packet")]
pub use record::pcapng;
pub use record::{Ending, Record, baseline, ladder, packet_ladder};
pub use scenario::network::{HeldContent, Network, NetworkFault, PacketContent, PacketSelector, Rst, Sender, Span};
pub use scenario::overrides::Overrides;
pub use scenario::plan::{Action, Plan, Point, Step};
pub use scenario::{Backend, Scenario, Wire, defaults, file};
pub use search::explorer;
#[cfg(feature = "packet")]
pub use search::packet_sweep;
#[cfg(feature = "random")]
pub use search::random;
pub use support::{Breach, MOST_SHOWN, Millis, Rule, ScenarioError, Shard, fnv, one_line, pairs, parallel};
