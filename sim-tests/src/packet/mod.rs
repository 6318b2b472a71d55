//! TCP packet by packet. Two hosts with a stack each (smoltcp) exchange packets over a simulated link, in virtual time.
//! The stream on top behaves like tokio's `TcpStream` on Linux.
//!
//! Nothing here reads a wall clock or draws a random number: the same program and the same [`FaultInjector`] give the
//! same packets. The [`Net`] must be used inside a single-threaded tokio runtime with paused time.
//!
//! Where the stack differs from Linux at close, [`PacketStream`] does what Linux does. `socket.rs` lists the
//! differences, and `tests/it/streams.rs` checks each against both.

mod device;
mod host;
mod kernel;
mod link;
mod net;
mod simulation;
mod socket;
mod stream;

#[cfg(all(feature = "linux", target_os = "linux"))]
pub(crate) use link::{Link, Packet};
pub use net::Net;
#[cfg(all(feature = "linux", target_os = "linux"))]
pub(crate) use simulation::NoFaults;
pub use simulation::{Build, FaultInjector, PacketDecision};
pub use stream::{PacketListener, PacketStream};
