//! Stream networks: sockets that close as on Linux, links that deliver in order, and relays between the ends.

pub(crate) mod link;
mod packet_kind;
mod path;
pub(crate) mod relay;
mod send_buffer;
mod socket;

pub(crate) use packet_kind::PacketKind;
pub(crate) use path::Path;
pub(crate) use send_buffer::READ_INTERVAL;
pub(crate) use socket::{Received, StreamPacket, StreamSocket};
