//! The echo/1 protocol and its close contract, without any I/O.
//!
//! This crate is deterministic: it uses no socket, no clock, no randomness and no thread. Report events with
//! `handle_*`, give commands with [`Connection::send`], [`Connection::leave`], [`Connection::fail`] and
//! [`Connection::abort`], and do what [`Connection::poll_output`] returns, until it returns [`Output::Wait`]. The
//! normative text is `PROTOCOL.md` beside this crate.
//!
//! Two ends exchange a message, and both prove a clean end:
//!
//! ```
//! use echo_core::{Config, Connection, End, Event, Output, Stamp};
//! use std::time::Duration;
//!
//! /// Hands what `from` wants to send to `to`; gives the payloads of the answers that `to` was given.
//! fn carry(from: &mut Connection, to: &mut Connection, now: Duration) -> Vec<Vec<u8>> {
//!     let mut answers = Vec::new();
//!     loop {
//!         match from.poll_output(now) {
//!             Output::Transmit { header, payload } => {
//!                 let bytes = [header, payload].concat();
//!                 from.handle_sent(now, bytes.len());
//!                 let mut input = bytes.as_slice();
//!                 while let Some(event) = to.handle_input(now, &mut input) {
//!                     if let Event::Reply(reply) = event {
//!                         answers.push(reply.payload.to_vec());
//!                     }
//!                 }
//!             }
//!             Output::Fin => {
//!                 from.handle_fin_sent(now);
//!                 to.handle_fin(now);
//!             }
//!             Output::Abort | Output::Wait(_) | Output::Ended(_) => return answers,
//!         }
//!     }
//! }
//!
//! let now = Duration::ZERO;
//! let mut client = Connection::client(Config::default(), Stamp(0));
//! let mut server = Connection::server(Config::default(), Stamp(0));
//! client.send(now, b"hello")?;
//! client.leave(now, echo_core::CloseReason::normal());
//! let mut answers = Vec::new();
//! for _ in 0..4 {
//!     carry(&mut client, &mut server, now);
//!     answers.extend(carry(&mut server, &mut client, now));
//! }
//! assert_eq!(answers, [b"hello"]);
//! let outcome = client.outcome().expect("both FINs were seen");
//! assert!(matches!(outcome.end, End::Clean(_)));
//! assert_eq!(outcome.account.answered, 1);
//! assert!(matches!(server.outcome().expect("ended").end, End::Clean(_)));
//! # Ok::<(), echo_core::ApiMisuse>(())
//! ```
//!
//! A protocol with other frames uses the parts: [`close::Machine`] with its own [`close::Policy`] ends a conversation,
//! and [`account::Account`] records what happened to each request.
//!
//! | feature | what it adds |
//! |---|---|
//! | `serde` | `Serialize` and `Deserialize` for outcomes and what they consist of |
//! | `explore` | for a search through all states: the table of the close machine, the hash of a connection, and an observer of its events |
//!
//! No feature is on by default.
// So that docs.rs shows which feature an item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]
// A new state, event or error must not slip through a catch-all arm.
#![deny(clippy::wildcard_enum_match_arm)]

pub mod account;
pub mod close;
mod config;
mod connection;
pub mod error;
pub mod frame;
mod outbox;
pub mod outcome;
pub mod plain;
pub mod preface;
mod progress;
mod session;
mod stamp;
pub mod timers;

pub use account::{Account, Fate, Tally};
pub use close::{CloseReason, Role};
pub use config::{Config, HIGH_WATER};
pub use connection::{AnswerBatch, Connection, Event, Output, Reply, RequestBatch};
pub use error::{ApiMisuse, CloseCode, Failure, PeerProtocol, Violation};
pub use outcome::{End, Outcome, Side};
pub use session::Traffic;
pub use stamp::{Stamp, Stamps};
pub use timers::{Deadline, Deadlines};
