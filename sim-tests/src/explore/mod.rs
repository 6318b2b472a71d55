//! The explorer: every state that two connections can come to, and every promise held against each.

mod end;
mod hash;
mod notes;
mod pair;
mod rules;
mod said;
mod search;
mod setup;
mod truth;
mod unit;
mod waits;

pub use end::Wish;
pub use notes::{Sight, Subject};
pub use rules::{Breach, Rule};
pub use setup::{FULL, Fault, QUICK, Setup, Who, Wire};
pub use unit::Reach;

/// x
pub fn probe(setup: &'static Setup) {
    let pair = pair::Pair::new(setup).unwrap();
    let at = std::time::Instant::now();
    let found = search::search(&pair, 40_000_000, &mut |_| ());
    println!("{}: {} states {} transitions {} ends longest {} complete {} in {:?}", setup.name, found.states, found.transitions, found.ends, found.longest, found.complete, at.elapsed());
    if let Some((b, l)) = found.counterexample { println!("{b}"); for x in l { println!("   {x}"); } }
    else { println!("{} pairs, {:?}", found.notes.pairs.len(), found.notes.sights.iter().map(|s| s.to_string()).collect::<Vec<_>>()); }
}
