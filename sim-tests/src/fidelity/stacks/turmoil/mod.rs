//! What turmoil's own streams do. Each file, with `between.rs`, is a program that shows one thing, and needs only
//! turmoil and tokio.

mod between;
pub(super) mod dropped_read_half;
pub(super) mod fin_at_capacity;
pub(super) mod finished_host;
pub(super) mod no_send_buffer;
pub(super) mod partition_stalls;
pub(super) mod read_after_reset;
pub(super) mod reset_overtakes;
pub(super) mod second_shutdown;
pub(super) mod write_after_reset;
pub(super) mod write_boundaries;
