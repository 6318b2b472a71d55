//! Searches beyond the catalogue: every state of two connections, random scenarios, and every fate of one packet and of
//! two.

#[cfg(feature = "packet")]
pub mod edge_table;
pub mod explorer;
#[cfg(feature = "packet")]
pub mod packet_sweep;
#[cfg(feature = "random")]
pub mod random;
