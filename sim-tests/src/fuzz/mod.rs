//! Checks that take any bytes. Fuzzers, the property tests and the replay of corpora call them.
//!
//! Each [`Target`] turns bytes into a case (a stream, a series of calls, a scenario, packets), and panics if a rule is
//! broken. All bytes are valid input. `fuzz/` in the repository has a libFuzzer target for each, and the corpora.
//!
//! ```
//! use sim_tests::fuzz::Target;
//!
//! let target = Target::named("decoder").expect("it is one of Target::ALL");
//! let pairs = target.run(b"\0\0\0\0any bytes")?;
//! assert_eq!(pairs.count(), 0, "no close machine takes part in decoding");
//! # Ok::<(), String>(())
//! ```

#[cfg(any(feature = "turmoil", feature = "packet"))]
mod came_back;
mod connection;
mod corpus;
mod decoder;
mod input;
mod mangled;
mod pair;
mod plain;
mod round_trip;
mod rules;
#[cfg(feature = "random")]
mod scenario;
#[cfg(all(feature = "random", feature = "packet"))]
mod seeds;
#[cfg(feature = "packet")]
mod segments;
#[cfg(all(feature = "random", feature = "packet"))]
mod text;

pub use corpus::{CorpusEntry, Unreadable, inputs};
#[cfg(all(feature = "random", feature = "packet"))]
pub use seeds::seeds;

use crate::support::pairs::{self, Pairs};
use echo_core::Config;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Returns the default settings with what `change` does, and counts the pairs of the table that are reached.
fn observed_config(change: impl FnOnce(&mut Config)) -> Config {
    let mut config = Config::default();
    config.observe = Some(pairs::observe);
    change(&mut config);
    config
}

/// A fuzz target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, which is also the name of the libFuzzer target and of the directory of its corpus.
    pub name: &'static str,
    /// What it checks, in one line.
    pub about: &'static str,
    check: fn(&[u8]),
}

impl Target {
    /// All targets of this build.
    pub const ALL: &[Self] = &[
        Self { name: "decoder", about: "any bytes in any pieces through each decoder", check: decoder::check },
        Self { name: "round_trip", about: "frames, encoded and decoded again", check: round_trip::check },
        Self { name: "connection", about: "any calls on one connection", check: connection::check },
        Self {
            name: "pair",
            about: "two connections and any schedule with faults between them",
            check: pair::schedule,
        },
        Self { name: "peace", about: "two connections and any schedule without faults", check: pair::peace },
        Self { name: "mangled", about: "a correct peer against one whose bytes are edited", check: mangled::check },
        Self { name: "plain", about: "any lines on the plain wire, and every byte comes back", check: plain::check },
        #[cfg(any(feature = "turmoil", feature = "packet"))]
        Self { name: "came_back", about: "whether every byte came back, among times", check: came_back::check },
        #[cfg(feature = "random")]
        Self {
            name: "scenario",
            about: "random scenarios on the pair, held against the contract",
            check: scenario::check,
        },
        #[cfg(all(feature = "random", feature = "packet"))]
        Self { name: "scenario_text", about: "any text as a scenario file or id", check: text::check },
        #[cfg(feature = "packet")]
        Self { name: "segments", about: "forged segments into the packet network's sockets", check: segments::check },
    ];

    /// Returns the target called `name`.
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::ALL.iter().find(|target| target.name == name)
    }

    /// Turns `bytes` into a case and checks it.
    ///
    /// # Panics
    /// Panics if a rule is broken.
    pub fn check(&self, bytes: &[u8]) {
        (self.check)(bytes);
    }

    /// Turns `bytes` into a case and checks it. Returns the pairs of state and event that its close machines reached.
    ///
    /// # Errors
    /// What is broken. The panic hook has also printed it.
    pub fn run(&self, bytes: &[u8]) -> Result<Pairs, String> {
        Pairs::take();
        match catch_unwind(AssertUnwindSafe(|| self.check(bytes))) {
            Ok(()) => Ok(Pairs::take()),
            Err(panic) => {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                Err(text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without words").to_owned())
            }
        }
    }
}
