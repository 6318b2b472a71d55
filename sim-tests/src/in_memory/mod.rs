//! Connections without a network, in virtual time: one that a test feeds ([`Solo`]), or two that are connected
//! ([`Pair`]).
//!
//! Both panic if a connection does what is never allowed: it spins, sends after its FIN, or waits without a deadline.
//! They are for tests and fuzzing.
//!
//! ```
//! use echo_core::CloseReason;
//! use sim_tests::in_memory::Pair;
//!
//! let mut pair = Pair::new();
//! pair.client.wish(|client, now| {
//!     client.send(now, b"hello").expect("the conversation is open");
//!     client.leave(now, CloseReason::normal());
//! });
//! let (client, server) = pair.finish(1);
//! assert_eq!((client.account.answered, server.account.answered), (1, 1));
//! ```

mod pair;
mod raw;
mod solo;

pub use pair::Pair;
pub use raw::{
    CLOSE, ECHO, EPOCH, FAILED, GOAWAY, HELLO, REPLY, WELCOME, frames, raw, raw_echo, raw_farewell, raw_reply,
};
pub use solo::{Seen, Solo};
