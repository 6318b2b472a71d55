//! How packets travel between the two ends.

use super::relay::Relay;
use crate::support::Millis;

/// How packets travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    /// How long every packet takes.
    pub(crate) latency: Millis,
    /// Packets arrive only at multiples of this; 0 is at any time.
    pub(crate) batch: Millis,
    /// A RST overtakes what is on its way, which is lost.
    pub(crate) overtaking: bool,
    /// What stands in the middle.
    pub(crate) relay: Option<Relay>,
    /// Bytes that a program reads in every [`READ_INTERVAL`](super::READ_INTERVAL); the rest waits at the sender. 0 is
    /// no limit.
    pub(crate) takes: usize,
}
