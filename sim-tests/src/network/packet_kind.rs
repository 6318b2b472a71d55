//! What a packet is to a network of streams.

/// What a packet is to the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum PacketKind {
    Data,
    Fin,
    Reset,
}
