//! The program.
use sim_tests::{Backend, Scenario, check, report};
fn main() {
    let id = std::env::args().nth(1).unwrap_or_default();
    let scenario: Scenario = match id.parse() { Ok(s) => s, Err(e) => { println!("{e}"); return } };
    let record = Backend::Pair.run(&scenario).unwrap();
    println!("{}", report::ladder(&record, true));
    for b in check(&record) { println!("BREACH {b}"); }
}
