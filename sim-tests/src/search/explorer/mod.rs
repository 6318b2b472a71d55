//! The explorer: every state that a conversation can come to, and every promise of the close contract held against
//! each of them.
//!
//! A [`Setup`] says who takes part and how much may happen: two connections of `echo-core` with everything that can be
//! between them, or one connection and a peer that says whatever it likes. A state is all that decides the future (the
//! connections, what is on its way, what users may still want and what may still go wrong) and what is needed to judge
//! it (what was said, run and held). [`run`] visits every state once, and takes from it every step that is possible:
//! each end writes or reads a piece, a frame or all there is, each deadline that runs passes, each wish is had, each
//! fault happens. Time stands still and every deadline may pass at any moment and before any other, which is more than
//! real clocks allow; so whatever holds here holds whatever the deadlines' lengths are.
//!
//! What reduces the number of states, and why nothing is lost by it:
//! - A connection's hash leaves out what cannot change what it does any more ([`echo_core::Connection`]).
//! - A program that is not there has no state but what it reported.
//! - What is on its way to nobody is answered and forgotten at once; to a side that drops it unread it is all one.
//! - RST and Ended are done in the step that leads to them, as a driver does; FIN and every write take their time.
//!
//! Nothing is capped: a search that stops at its limit says so, and is not [`Exploration::complete`]. What would be too much
//! at once is explored in parts, each whole: see [`full`] and [`quick`].
//!
//! ```
//! use sim_tests::explorer::{self, Limits, Setup, Summary};
//!
//! let calm = Setup { name: "one request, in peace", requests: 1, ..explorer::CALM };
//! let report = explorer::run(&calm, Limits::default(), &mut |_| ());
//! assert!(report.holds(), "{report}");
//! println!("{}", Summary::of(&[report]));
//! ```

mod claims;
mod coverage;
mod end;
mod hash;
mod observations;
mod pair;
mod peer_input;
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

use pair::Pair;
use search::{Found, Model, search};
use single::Single;
use std::rc::Rc;

/// When to stop at the latest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// After so many states, of which each takes some 20 bytes of memory for good.
    pub states: u64,
}

impl Default for Limits {
    /// A hundred million states: 2 to 4 GiB.
    fn default() -> Self {
        Self { states: 100_000_000 }
    }
}

/// Explores `setup`; tells `progress` now and then how many states were visited.
pub fn run(setup: &Setup, limits: Limits, progress: &mut dyn FnMut(u64)) -> Exploration {
    let shared = Rc::new(*setup);
    let found = match setup.who {
        Peer::Pair => explore(Pair::new(shared), limits, progress),
        Peer::Against(role, inputs) => explore(Single::new(shared, role, inputs), limits, progress),
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
