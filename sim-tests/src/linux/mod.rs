//! The Linux kernel: namespaces of the harness's own, a device that shows it each packet, and the states of sockets.
//!
//! A route or a rule on a machine's own network can slow down or cut off everything on it, and stays. So nothing here
//! changes a network without an [`Isolated`], the proof that this process is in a network namespace of its own.

mod device;
mod namespace;
mod sockets;

pub use device::{PacketDevice, addresses, set};
pub use namespace::{Isolated, NotIsolated, isolated_command, why_not};
pub use sockets::{SocketPair, SocketStates};
