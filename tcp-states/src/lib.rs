//! The states of TCP (RFC 9293 section 3.3.2), and with the feature `kernel` the TCP sockets of this network namespace
//! and the processes that hold them, as Linux shows them. No privilege is needed; without it, only the owners of one's
//! own sockets can be read.

#[cfg(all(feature = "kernel", target_os = "linux"))]
mod kernel;
#[cfg(all(feature = "kernel", target_os = "linux"))]
mod owner;
mod socket;
mod state;

#[cfg(all(feature = "kernel", target_os = "linux"))]
pub use kernel::Kernel;
#[cfg(all(feature = "kernel", target_os = "linux"))]
pub use owner::{Owner, Owners};
pub use socket::{TcpSocket, Timer, TimerKind, Traffic};
pub use state::TcpState;
