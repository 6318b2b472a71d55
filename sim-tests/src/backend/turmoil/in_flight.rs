//! The states of a packet in flight.

use echo_core::Role;

/// A packet on the links.
#[derive(Clone, Copy, Debug)]
pub(super) enum InFlight {
    /// The first packet of its direction that turmoil holds.
    Deliver,
    /// The same, if it is a RST.
    DeliverReset,
    /// A RST that turmoil does not deliver.
    Reset,
}

/// The state of a packet that turmoil holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeldPacket {
    Waits(Role),
    /// turmoil delivers it in the next step.
    Leaves,
    /// turmoil never delivers it.
    Dead,
}
