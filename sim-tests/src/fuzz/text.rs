//! Scenario files and ids: text that people write, and text that is anything.

use crate::check::contract;
use crate::scenario::Scenario;
use crate::scenario::file::Saved;
use crate::support::{MOST_SHOWN, ScenarioError};
use crate::{Backend, Shard};

/// A refusal is one line that a person can read, and no longer than this, in characters.
const LINE: usize = MOST_SHOWN + 60;

/// Any text as a scenario file, an id, a network and a shard: what is read is written and read again as the same, what
/// is refused is refused in one line, and what is accepted can be run, and keeps the contract.
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

/// On the pair, and then packet by packet.
fn run(scenario: &Scenario) {
    // What takes long is only long, and each run of a fuzzer is to be short.
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
