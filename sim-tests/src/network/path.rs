//! How packets travel between the two ends.

use super::relay::Relay;
use crate::support::Millis;

/// Latency, batching, relay and read rate of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    /// How long every packet takes from end to end.
    pub(crate) latency: Millis,
    /// Packets arrive only at multiples of this; 0 is at any time.
    pub(crate) batch: Millis,
    /// Whether a RST overtakes the packets in flight, which are then lost.
    pub(crate) overtaking: bool,
    /// The relay between the two ends, if there is one.
    pub(crate) relay: Option<Relay>,
    /// Bytes that a program reads in every [`READ_INTERVAL`](super::READ_INTERVAL); the rest waits at the sender. 0 is
    /// no limit.
    pub(crate) takes: usize,
}
