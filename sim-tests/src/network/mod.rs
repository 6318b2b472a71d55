//! What carries a stream between the two ends: links that deliver in order, and relays that stand in the middle.

pub(crate) mod link;
mod packet_kind;
mod path;
pub(crate) mod relay;
mod send_buffer;

pub(crate) use packet_kind::PacketKind;
pub(crate) use path::Path;
pub(crate) use send_buffer::READ_INTERVAL;
