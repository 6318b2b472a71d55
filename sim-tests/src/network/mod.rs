//! What carries a stream between the two ends: links that deliver in order, and relays that stand in the middle.

mod kind;
pub(crate) mod link;
pub(crate) mod relay;
mod send_buffer;

pub(crate) use kind::Kind;
pub(crate) use send_buffer::PACE;
