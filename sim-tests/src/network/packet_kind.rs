//! The kinds of packets that stream networks distinguish.

/// What a packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum PacketKind {
    Data,
    Fin,
    Reset,
}
