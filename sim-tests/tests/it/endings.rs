//! The ending of each sequence of the catalogue on the pair: one file a network, one line a sequence, sorted by id.

use echo_core::{Role, Tally};
use sim_tests::Backend;
use sim_tests::catalogue::{self, Place, Sequence};
use sim_tests::internal::parallel_map;
use sim_tests::oracle::Reported;
use std::collections::{BTreeMap, BTreeSet};

const LEGEND: &str = "id → the client's ending, the server's ending; \"or\" where a race may end either way";

fn words(reported: Reported) -> String {
    match reported {
        Reported::Outcome(end, Tally { answered, refused, unknown }) => {
            let counts = [(answered, "answered"), (refused, "refused"), (unknown, "unknown")];
            let counts = counts.into_iter().filter(|(count, _)| *count > 0);
            let counts: Vec<String> = counts.map(|(count, what)| format!("{count} {what}")).collect();
            if counts.is_empty() { end.to_string() } else { format!("{end} ({})", counts.join(", ")) }
        }
        Reported::Killed => "killed".to_owned(),
        Reported::Open => "OPEN".to_owned(),
    }
}

fn line(sequence: &Sequence) -> String {
    let mut endings: Vec<String> = Vec::new();
    for run in sequence.scenario.runs() {
        let record = Backend::Pair.run(&run).unwrap_or_else(|error| panic!("{run}: {error}"));
        let ending = Role::BOTH.map(|side| words(Reported::of(&record.ending(side)))).join(", ");
        if !endings.contains(&ending) {
            endings.push(ending);
        }
    }
    format!("{} → {}", sequence.id, endings.join(" or "))
}

/// The snapshot file of a sequence.
fn file(sequence: &Sequence) -> String {
    match catalogue::place(&sequence.scenario) {
        Some(Place::Sequence(_)) => sequence.scenario.network.to_string(),
        Some(Place::Excluded(rule)) => panic!("{} is a sequence, and excluded by {}", sequence.id, rule.letter),
        None => "beyond-the-product".to_owned(),
    }
}

#[test]
fn every_sequence_ends_as_it_did() {
    let all = catalogue::all();
    let lines = parallel_map(all.len(), |index| (file(&all[index]), line(&all[index])));
    let mut files: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (file, line) in lines {
        assert!(files.entry(file).or_default().insert(line), "no two sequences have one id");
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_omit_expression(true);
    settings.set_snapshot_path("endings");
    settings.set_prepend_module_to_snapshot(false);
    let _bound = settings.bind_to_scope();
    let mut count = 0;
    for (file, lines) in files {
        count += lines.len();
        let lines: Vec<String> = lines.into_iter().collect();
        insta::assert_snapshot!(file, format!("{LEGEND}\n\n{}\n", lines.join("\n")));
    }
    assert_eq!(count, all.len());
}
