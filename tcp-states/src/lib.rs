//! The states of TCP (RFC 9293 section 3.3.2), and with the feature `kernel` the TCP sockets of this network namespace
//! and the processes that hold them, as Linux shows them. No privilege is needed; without it, only the owners of one's
//! own sockets can be read.
//!
//! [`History`] compares several looks, and [`diagnose`] says what a socket's state, queues and timers mean. Both are
//! pure: they read no clock and no socket.
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `kernel` | yes | on Linux: `Kernel` and `Owners`, the sockets of this machine; elsewhere nothing |
//! | `serde` | no | `Serialize` and `Deserialize` |
// So that docs.rs shows which feature an item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod diagnosis;
mod history;
#[cfg(all(feature = "kernel", target_os = "linux"))]
mod kernel;
#[cfg(all(feature = "kernel", target_os = "linux"))]
mod owner;
mod settings;
mod socket;
mod state;

pub use diagnosis::{Diagnosis, Finding, Harm, READING, bytes, diagnose, is_open_question, time};
pub use history::{Age, History, Observed, TIME_WAIT};
#[cfg(all(feature = "kernel", target_os = "linux"))]
pub use kernel::Kernel;
#[cfg(all(feature = "kernel", target_os = "linux"))]
pub use owner::{Owner, Owners};
#[cfg(target_os = "linux")]
pub use settings::network_namespace;
pub use settings::{Reuse, Settings};
pub use socket::{TcpSocket, Timer, TimerKind, Traffic};
pub use state::TcpState;
