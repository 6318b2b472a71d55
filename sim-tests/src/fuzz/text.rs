//! Scenario files and ids: valid text, and any text.

use crate::check::contract;
use crate::scenario::Scenario;
use crate::scenario::file::Saved;
use crate::support::{MOST_SHOWN, ScenarioError};
use crate::{Backend, Shard};

/// The longest error text, in characters.
const LINE: usize = MOST_SHOWN + 60;

/// Checks any text as a scenario file, an id, a network and a shard. What is accepted is written and parsed again as
/// the same, can be run, and keeps the contract. What is refused gives an error of one line.
pub(super) fn check(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match text.parse::<Saved>() {
        Ok(saved) => {
            assert_eq!(saved.to_string().parse(), Ok(saved.clone()), "a file that was written is read otherwise");
            run(&saved.scenario);
        }
        Err(refusal) => one_line(&refusal),
    }
    let line = text.lines().next().unwrap_or_default();
    match line.parse::<Scenario>() {
        Ok(scenario) => {
            assert_eq!(scenario.to_string().parse(), Ok(scenario.clone()), "an id that was written is read otherwise");
            run(&scenario);
        }
        Err(refusal) => one_line(&refusal),
    }
    match line.parse::<Shard>() {
        Ok(shard) => assert_eq!(shard.to_string().parse(), Ok(shard)),
        Err(refusal) => one_line(&refusal),
    }
    if let Err(refusal) = line.parse::<Backend>() {
        one_line(&refusal);
    }
}

fn one_line(refusal: &ScenarioError) {
    let text = refusal.to_string();
    assert!(!text.is_empty() && text.chars().count() <= LINE, "a refusal of {} characters", text.chars().count());
    assert!(!text.contains(char::is_control), "a refusal with control characters: {text:?}");
}

/// Runs a scenario on the pair, and then packet by packet.
fn run(scenario: &Scenario) {
    // Each run of a fuzzer must be short, and a scenario with much data only takes long.
    if scenario.talk.iter().sum::<usize>() > 20_000 {
        return;
    }
    for backend in [Backend::Pair, Backend::Packet] {
        if backend.expresses(scenario).is_err() {
            continue;
        }
        for scenario in scenario.runs() {
            match backend.run(&scenario) {
                Ok(record) => assert_eq!(contract::check(&record), [], "{scenario} on {}", backend.id()),
                Err(refusal) => one_line(&refusal),
            }
        }
    }
}
