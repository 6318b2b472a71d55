//! Every way an echo/1 conversation can end, as data that can be run, replayed and judged.
//!
//! Data flows one way: a [`Scenario`] (what each side and the network do) is run by a [`Backend`], which gives a
//! [`Record`] (what happened, in order); [`check`](fn@check) holds it against the close contract, [`ladder`] shows it.
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
//! The harness for somebody else's protocol, two closures over a stream, is the module `trial` (feature `turmoil`).
//!
//! Nothing here reads a clock or draws a number: time is virtual, and the same scenario gives the same record in
//! every process. Whoever wants random schedules draws scenarios, which are plain values with an id.
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
