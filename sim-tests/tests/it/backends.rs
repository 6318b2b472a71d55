//! The pair and turmoil, laid side by side.

use echo_core::Role;
use sim_tests::{Backend, Record, Scenario, Unit, What, catalogue};

const SIDES: [Role; 2] = [Role::Client, Role::Server];

/// What one end did and saw, as far as both backends can tell it. RST is left out: turmoil sends none when a socket
/// is let go after its FIN, and answers FIN for a closed socket with one, where Linux does the opposite.
fn seen(record: &Record, side: Role) -> Vec<String> {
    let common = |what: &&What| match what {
        What::Sent(unit) | What::Got(unit) => *unit != Unit::Reset,
        What::Did(_) | What::Handed(_) => true,
        What::Accepted(_)
        | What::Ended(_)
        | What::Held
        | What::Cut
        | What::LetGo
        | What::Stalled(_)
        | What::Relayed(_) => false,
    };
    record.of(side).filter(common).map(ToString::to_string).collect()
}

#[test]
fn the_real_client_and_server_do_what_the_two_cores_do() {
    let mut different = Vec::new();
    for id in catalogue::ids() {
        let scenario: Scenario = id.parse().expect("an id of the catalogue");
        let [pair, turmoil] = Backend::ALL.map(|backend| backend.run(&scenario).expect("expressible"));
        for side in SIDES {
            assert_eq!(pair.ending(side), turmoil.ending(side), "{id}: outcome and account at the {side:?}");
            if seen(&pair, side) != seen(&turmoil, side) {
                different.push(format!(
                    "{id} at the {side:?}:\n  {:?}\n  {:?}",
                    seen(&pair, side),
                    seen(&turmoil, side)
                ));
            }
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}
