//! What smoltcp's own sockets do. Each file, with `pair.rs`, is a program that shows one thing, and needs only smoltcp.

pub(super) mod close_with_unread;
pub(super) mod fin_wait_2;
pub(super) mod first_retransmission;
pub(super) mod late_data;
mod pair;
pub(super) mod retransmissions;
pub(super) mod syn_to_time_wait;
pub(super) mod time_wait;
