//! What is known of a packet that is on its way.

use echo_core::Role;

/// What the links have of a packet.
#[derive(Clone, Copy, Debug)]
pub(super) enum InFlight {
    /// The first of its direction that turmoil holds.
    Deliver,
    /// The same, and it is a RST.
    DeliverReset,
    /// A FIN that means RST.
    Reset,
}

/// What became of a packet that turmoil holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeldPacket {
    Waits(Role),
    /// It is delivered at once.
    Leaves,
    /// It stays with turmoil for ever.
    Dead,
}
