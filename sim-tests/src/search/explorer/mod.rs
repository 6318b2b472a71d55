//! The explorer: visits every state that a conversation can reach, and checks every rule of the close contract in each.
//!
//! A [`Setup`] defines who takes part and how much may happen: two connections of `echo-core` with everything that can
//! be between them, or one connection with an arbitrary peer. A state contains all that decides the future (the
//! connections, data in flight, commands and faults that may still come) and what the checks need (what was sent, run
//! and received). [`run`] visits each state once, and takes every possible step from it: each end writes or reads a
//! piece, a frame or everything, each running deadline passes, each command is given, each fault happens. Time stands
//! still and every deadline may pass at any moment and before any other, which is more than real clocks allow. So what
//! holds here holds for any deadline lengths.
//!
//! These reductions of the number of states lose nothing:
//! - A connection's hash leaves out what can no longer change its behaviour ([`echo_core::Connection`]).
//! - A program that has ended has no state except what it reported.
//! - Data in flight to a side that is gone is answered and removed at once. All data in flight to a side that discards
//!   input is the same.
//! - RST and Ended happen in the step that leads to them, as in a driver. FIN and every write are separate steps.
//!
//! A search that stops at its limit reports so, and is not [`Exploration::complete`]. What is too much for one search
//! is explored in parts, each completely: see [`full`] and [`quick`].
//!
//! ```
//! use sim_tests::explorer::{self, Limits, Setup, Summary};
//!
//! let calm = Setup { name: "one request, in peace", requests: 1, ..explorer::CALM };
//! let report = explorer::run(&calm, Limits::default(), &mut |_| ());
//! assert!(report.holds(), "{report}");
//! println!("{}", Summary::of(&[report]));
//! ```

mod arena;
mod claims;
mod coverage;
mod end;
mod ends;
mod hash;
mod observations;
mod pair;
mod peer_input;
mod queue;
mod report;
mod rules;
mod search;
mod sent_log;
mod setup;
mod single;
mod unit;
mod waits;

pub use crate::support::pairs::Subject;
pub use coverage::Coverage;
pub use observations::Goal;
pub use report::{Counterexample, Exploration, Summary};
pub use rules::{ExplorerBreach, ExplorerRule};
pub use setup::{CALM, ExplorerWire, Peer, Setup, TransportFault, full, quick};

use ends::Store;
use pair::Pair;
use search::{Found, Model, search};
use single::Single;

/// The limit of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest number of states. Each takes 20 to 40 bytes of memory until the end.
    pub states: u64,
}

impl Default for Limits {
    /// Returns a limit of one hundred million states: 2 to 4 GiB.
    fn default() -> Self {
        Self { states: 100_000_000 }
    }
}

/// Explores `setup`. From time to time calls `progress` with the number of states visited.
pub fn run(setup: &Setup, limits: Limits, progress: &mut dyn FnMut(u64)) -> Exploration {
    let store = Store::default();
    let found = match setup.who {
        Peer::Pair => {
            let shared = pair::Shared::new(setup, &store);
            explore(Pair::new(&shared), limits, progress)
        }
        Peer::Against(role, inputs) => {
            let shared = single::Shared::new(setup, &store);
            explore(Single::new(&shared, role, inputs), limits, progress)
        }
    };
    let Found { states, transitions, ends, longest, complete, notes, counterexample } = found;
    let counterexample = counterexample.map(|(breach, ladder)| Counterexample { breach, ladder });
    Exploration { setup: *setup, states, transitions, ends, longest, complete, counterexample, notes }
}

fn explore<M: Model>(first: Result<M, ExplorerBreach>, limits: Limits, progress: &mut dyn FnMut(u64)) -> Found {
    match first {
        Ok(first) => search(&first, limits.states, progress),
        Err(breach) => Found { counterexample: Some((breach, Vec::new())), ..Found::default() },
    }
}
