//! TCP itself, packet by packet: two hosts with a stack of their own (smoltcp) on a simulated link, in virtual time,
//! and a stream over it that is what tokio's `TcpStream` is on Linux.
//!
//! Nothing here reads a wall clock or draws a number: the same program and the same [`FaultInjector`] give the same packets.
//! The [`Net`] must be used inside a tokio runtime of one thread whose time is paused.
//!
//! Where the stack differs from Linux at close, [`PacketStream`] does what Linux does; `socket.rs` has the list, and
//! `tests/it/streams` holds each point against both.

mod device;
mod host;
mod kernel;
mod link;
mod net;
mod simulation;
mod socket;
mod stream;

pub use net::Net;
pub use simulation::{Build, FaultInjector, PacketDecision};
pub use stream::{PacketListener, PacketStream};
