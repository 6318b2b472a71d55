//! The Linux kernel: namespaces of the harness's own, packet filters in them, and the states of their sockets.
//!
//! A `tc` or `nft` rule on a machine's own loopback slows down or cuts off everything on it, and stays. So nothing here
//! changes a network without an [`Isolated`], the proof that this process is in a network namespace of its own.

mod filter;
mod namespace;
mod sockets;

pub use filter::PacketFilter;
pub use namespace::{Isolated, NotIsolated, isolated_command, why_not};
pub use sockets::{SocketPair, SocketTable};
