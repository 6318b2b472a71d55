//! The program.
use sim_tests::{Backend, Scenario, check, report};
fn main() {
    let ids: Vec<String> = std::io::read_to_string(std::io::stdin()).unwrap().lines().map(String::from).collect();
    for id in ids {
    let scenario: Scenario = match id.parse() { Ok(s) => s, Err(e) => { println!("{id} {e}"); continue } };
    let mut row = vec![];
    let mut br = vec![];
    for backend in Backend::ALL {
    let record = backend.run(&scenario).unwrap();
    if std::env::args().count() > 1 { println!("{}", report::ladder(&record, true)); }
    for s in [echo_core::Role::Client, echo_core::Role::Server] {
        let e = record.ending(s);
        row.push(match &e { sim_tests::Ending::Outcome(o) => match &o.end { echo_core::End::TimedOut(d) => format!("timed out:{d}"), e => e.name().into() }, o => o.name().into()});
    }
    if !record.unreached.is_empty() { row.push(format!("unreached {:?}", record.unreached)); }
    for b in check(&record) { br.push(format!("BREACH {} {b}", backend.id())); }
    }
    println!("{id:<90} {}", row.join(" | "));
    for b in br { println!("   {b}"); }
    }
}
