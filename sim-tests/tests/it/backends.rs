//! The pair and turmoil, laid side by side.

use echo_core::Role;
use sim_tests::{Backend, Ending, Record, Scenario, Unit, What, catalogue};

const SIDES: [Role; 2] = [Role::Client, Role::Server];

/// What one end did and saw, as far as both backends can tell it. RST is left out: turmoil sends none when a socket
/// is let go after its FIN, and answers FIN for a closed socket with one, where Linux does the opposite.
fn seen(record: &Record, side: Role) -> Vec<&What> {
    let common = |what: &&What| match what {
        What::Sent(unit) | What::Got(unit) => *unit != Unit::Reset,
        What::Did(_) => true,
        // The client's task hands over when it has its turn: what and in which order is compared on its own.
        What::Handed(_)
        | What::Accepted(_)
        | What::Ended(_)
        | What::Held
        | What::Cut
        | What::LetGo
        | What::Stalled(_)
        | What::Relayed(_) => false,
    };
    record.of(side).filter(common).collect()
}

/// In what the two backends differ, and what is wrong with either.
fn differences(scenario: &Scenario) -> Vec<String> {
    let records = Backend::ALL.map(|backend| backend.run(scenario));
    let [Ok(pair), Ok(turmoil)] = records else { return vec![format!("{scenario} cannot be run: {records:?}")] };
    let mut found = Vec::new();
    for record in [&pair, &turmoil] {
        let faults = catalogue::judge(record);
        found.extend(faults.iter().map(|fault| format!("{scenario} on {}: {fault}", record.backend.id())));
    }
    // Who is taken away hands over what its task had in hand, or does not: nobody is left to count it.
    let counts = !matches!(pair.ending(Role::Client), Ending::Gone(_));
    if counts && pair.handed() != turmoil.handed() {
        found.push(format!("{scenario}: handed over {:?} and {:?}", pair.handed(), turmoil.handed()));
    }
    for side in SIDES {
        if pair.ending(side) != turmoil.ending(side) {
            found.push(format!("{scenario}: {:?} and {:?}", pair.ending(side), turmoil.ending(side)));
        }
        if seen(&pair, side) != seen(&turmoil, side) {
            found.push(format!("{scenario}: the {side:?} sees\n{:?}\n{:?}", seen(&pair, side), seen(&turmoil, side)));
        }
    }
    found
}

/// Every sequence of the catalogue, on two threads: outcomes, accounts and traces are the same, and what the oracle
/// allows.
#[test]
fn the_real_client_and_server_do_what_the_two_cores_do() {
    let all: Vec<_> = catalogue::all().iter().flat_map(|sequence| sequence.scenario.runs()).collect();
    let share = |part: usize| all.iter().skip(part).step_by(2).flat_map(differences).collect::<Vec<_>>();
    let different = std::thread::scope(|scope| {
        let other = scope.spawn(|| share(1));
        [share(0), other.join().expect("no panic")].concat()
    });
    let count = different.len();
    assert!(different.is_empty(), "{count} differences:\n{}", different[..count.min(12)].join("\n"));
}
