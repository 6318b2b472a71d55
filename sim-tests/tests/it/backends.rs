//! The same scenarios on two backends: the real client and server on turmoil, and the pair.

use echo_core::Role;
use sim_tests::catalogue::{self, Sequence};
use sim_tests::internal::parallel_map;
use sim_tests::{Backend, Ending, LogEvent, Record, Scenario, Unit};

/// The events of one end that both backends show alike. RST is left out, because turmoil answers FIN for a closed
/// socket with RST, where Linux acknowledges it. Handing an answer to a user's task is left out, too: it is not on the
/// wire.
fn seen(record: &Record, side: Role) -> Vec<String> {
    let common = |what: &&LogEvent| match what {
        LogEvent::Sent(unit) | LogEvent::Got(unit) => *unit != Unit::Reset,
        LogEvent::Did(_) | LogEvent::DroppedUnread => true,
        LogEvent::Handed(_) | LogEvent::Accepted(_) | LogEvent::Ended(_) => false,
        LogEvent::Held | LogEvent::Cut | LogEvent::Stalled(_) | LogEvent::Relayed(_) => false,
    };
    record.of(side).filter(common).map(ToString::to_string).collect()
}

/// Everything that is wrong with the runs of a sequence, one line each.
fn wrong(sequence: &Sequence) -> Vec<String> {
    sequence.scenario.runs().iter().flat_map(|run| wrong_with(sequence, run)).collect()
}

fn wrong_with(sequence: &Sequence, run: &Scenario) -> Vec<String> {
    let [pair, turmoil] = Backend::STREAMS.map(|backend| backend.run(run).expect("expressible"));
    let mut wrong = Vec::new();
    for record in [&pair, &turmoil] {
        let name = record.backend.id();
        wrong.extend(sequence.judge(record).iter().map(|fault| format!("{run} on {name}: {fault}")));
    }
    // After a client was ended by a fault, it does not matter what its tasks do.
    let reports = matches!(pair.ending(Role::Client), Ending::Outcome(_));
    if reports && pair.handed() != turmoil.handed() {
        wrong.push(format!("{run}: {:?} and {:?} were handed over", pair.handed(), turmoil.handed()));
    }
    for side in Role::BOTH {
        if pair.ending(side) != turmoil.ending(side) {
            wrong.push(format!("{run} at the {side:?}: {:?} / {:?}", pair.ending(side), turmoil.ending(side)));
        }
        let (one, other) = (seen(&pair, side), seen(&turmoil, side));
        if one != other {
            wrong.push(format!("{run} at the {side:?}:\n  {one:?}\n  {other:?}"));
        }
    }
    wrong
}

/// Runs the whole catalogue on both: the oracle and the contract allow each run, and both backends take the same steps.
#[test]
fn the_real_client_and_server_do_what_the_two_cores_do() {
    let all = catalogue::all();
    let wrong: Vec<String> = parallel_map(all.len(), |index| wrong(&all[index])).into_iter().flatten().collect();
    let first: Vec<_> = wrong.iter().take(10).map(String::as_str).collect();
    assert!(wrong.is_empty(), "{} things are wrong, first:\n{}", wrong.len(), first.join("\n"));
}
