//! Every way an echo/1 conversation can end, as data that can be run, replayed and judged - and the same for your own
//! protocol.
//!
//! ```text
//!   catalogue · search · trial · fuzz          which conversations
//!        │
//!        ▼
//!   Scenario      what each side and the network do: a value with an id
//!        │
//!        ▼
//!   Backend       pair: two cores of echo-core and a queue of packets
//!        │        turmoil: echo-net's client and server on a simulated network of streams
//!        │        packet: the same, each on a TCP stack of its own, packet by packet
//!        │        linux: the same on real sockets of the Linux kernel, packet by packet
//!        ▼
//!   Record        what happened, in order  ──▶  ladder, pcapng, baseline
//!        │
//!        ▼
//!   check         the close contract, RFC 9293, and the oracle's allowed endings
//!   fidelity      where the first three backends differ from Linux
//! ```
//!
//! - **Your own protocol**: `trial` (feature `trial`) runs two closures over a stream, and injects each fault at each
//!   of their I/O events.
//! - **One conversation of echo/1**: [`Scenario`], [`Backend::run`], [`check()`], [`ladder::ladder`].
//! - **All of them**: [`catalogue`]; every state of the protocol: [`explorer`]; random ones: `random` (feature
//!   `random`); every fate of one packet and of two: `packet_sweep` (feature `packet`).
//! - **The Linux kernel**, in a network namespace of its own, whose packets pass through the harness: `linux`,
//!   `run_on_linux`, and `LinuxNetwork` for two sockets of any program (feature `linux`, on Linux).
//! - **How far the simulators are like Linux**: `fidelity` (features `linux` and `turmoil`, on Linux), and the table
//!   FIDELITY.md.
//! - **Bytes**: `fuzz` (feature `fuzz`) has checks for fuzzers and property tests.
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
//! Everything but the backend linux is deterministic: time is virtual, no backend draws a number, and the same scenario
//! gives the same record in every process. Random schedules are random *scenarios*, which are plain values with an id.
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `cli` | yes | the program `echo-sim`, with many dependencies, and all features below but `hyper` |
//! | `trial` | by `cli` | `trial`: your own protocol |
//! | `report` | by `cli` | `trial::TrialPage`: the results of several trials as HTML, JSON, JUnit and Markdown |
//! | `tracing` | by `cli` | what the programs of a trial send to `tracing`, in its ladders |
//! | `hyper` | no | the network of a trial as a connector of hyper-util's client |
//! | `turmoil` | by `cli` | the backend that runs the real client and server on a simulated network of streams |
//! | `packet` | by `cli` | `packet`, and the backend that runs them on TCP stacks of their own, packet by packet |
//! | `linux` | by `cli` | on Linux: `linux`, and the backend that runs them on the kernel's sockets; turns on `packet` and `serde` |
//! | `random` | by `cli` | random scenarios, and their shrinking |
//! | `serde` | by `cli` | `Serialize`, and where it can be read `Deserialize`, for scenarios, records and reports |
//! | `fuzz` | by `cli` | checks that take any bytes, for fuzzers and property tests |
//!
//! With all of these but `cli` and `linux`, the crate also compiles for macOS and Windows.
// So that docs.rs shows which feature an item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

mod backend;
pub mod catalogue;
mod check;
#[cfg(all(feature = "linux", feature = "turmoil", target_os = "linux"))]
pub mod fidelity;
#[cfg(feature = "fuzz")]
pub mod fuzz;
pub mod in_memory;
pub mod learn;
#[cfg(all(feature = "linux", target_os = "linux"))]
pub mod linux;
mod network;
#[cfg(feature = "packet")]
pub mod packet;
pub mod record;
mod scenario;
mod search;
mod support;
pub mod tcp;
#[cfg(feature = "trial")]
pub mod trial;

#[cfg(feature = "turmoil")]
pub use backend::every_order;
#[cfg(all(feature = "linux", target_os = "linux"))]
pub use backend::{LinuxNetwork, PairNetwork, do_on_linux, linux_worker, run_on_linux, run_scenario};
pub use check::contract::check;
pub use check::contract_rule::{ContractBreach, ContractRule};
pub use check::oracle;
pub use check::tcp_rules::{TcpBreach, TcpRule, check_tcp};
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
#[cfg(feature = "random")]
pub use search::random;
#[cfg(feature = "packet")]
pub use search::{edge_table, packet_sweep};
pub use support::{Breach, Millis, Rule, ScenarioError, Shard, pairs};

/// For the program `echo-sim` and the tests of this repository. It is no interface: it changes without notice.
#[doc(hidden)]
pub mod internal {
    pub use crate::support::{MOST_SHOWN, fnv, one_line, parallel::parallel_map};
}
