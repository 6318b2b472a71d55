//! What all other folders use: errors, numbers in texts, hashes, shards, the parallel map, and the first difference of
//! two texts.

mod breach;
pub(crate) mod difference;
mod error;
mod hash;
mod number;
pub mod pairs;
pub mod parallel;
mod shard;
#[cfg(feature = "serde")]
mod text_serde;

pub use breach::{Breach, Rule};
pub use error::{MOST_SHOWN, ScenarioError, one_line};
pub(crate) use error::{check_length, check_range};
pub use hash::fnv;
pub(crate) use number::{number, pick};
pub use shard::Shard;
#[cfg(feature = "serde")]
pub(crate) use text_serde::serde_as_text;

/// Virtual time in milliseconds since the connection began, or a span of it.
pub type Millis = u64;
