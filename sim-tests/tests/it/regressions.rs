//! Scenarios that failed once, in the text form in which they were printed: `sim-tests/regressions`.

use sim_tests::file::Saved;
use sim_tests::{Backend, catalogue, ladder, random};
use std::fs;
use std::path::Path;

#[test]
fn what_was_found_once_is_not_found_again() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions");
    let mut count = 0;
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("it can be read");
        let saved: Saved = text.parse().unwrap_or_else(|refusal| panic!("{}: {refusal}", path.display()));
        for backend in Backend::STREAMS {
            let judged = random::judge(&|scenario| backend.run(scenario), &saved.scenario);
            let record = judged.unwrap_or_else(|flaw| panic!("{} on {}: {flaw}", path.display(), backend.id()));
            assert_eq!(catalogue::check_run(&record), [], "{}\n{}", path.display(), ladder::ladder(&record, true));
        }
        count += 1;
    }
    assert!(count >= 2, "{count} files");
}

/// A file of an older version is rejected as unsupported.
#[test]
fn an_old_file_is_named_unsupported() {
    let refusal = include_str!("../version-0.scenario").parse::<Saved>().expect_err("it is too old");
    assert_eq!(refusal.to_string(), "line 1: version 0 is unsupported: this program reads version 1");
}
