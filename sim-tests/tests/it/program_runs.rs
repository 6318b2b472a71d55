//! `echo-sim check --save`, `diff` and `random`, as a user runs them.

use crate::program::{echo_sim, file, refused, stderr, stdout};
use std::path::PathBuf;

// ---- diff ----

#[test]
fn runs_are_saved_and_compared() {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("runs");
    let path = path.to_str().expect("UTF-8");
    let output = echo_sim(&["check", "framed/client:close@idle/server:none/", "--backend", "pair", "--save", path]);
    assert!(output.status.code().is_some_and(|code| code < 2), "{}", stderr(&output));
    let same = echo_sim(&["diff", path, path]);
    assert_eq!((same.status.code(), stdout(&same).as_str()), (Some(0), "no difference\n"));

    let saved = std::fs::read_to_string(path).expect("it was written");
    let id = "framed/client:close@idle/server:none/clear --backend pair";
    let changed: String = saved.lines().map(|line| format!("{}\n", altered(line, id))).collect();
    assert_ne!(changed, saved);
    let changed = file("changed-runs", &changed);
    let differs = echo_sim(&["diff", path, &changed]);
    let text = stdout(&differs);
    assert_eq!(differs.status.code(), Some(1), "{text}");
    let clean = "1 runs: server clean 1000 → truncated\n";
    assert!(text.starts_with(clean), "{text}");
    assert!(
        text.contains("first differing event (in 1 of them): \"client sent preface\" became \"nothing\""),
        "{text}"
    );
    assert!(text.contains(&format!("from event 1 on: echo-sim replay {id}\n")), "{text}");
    assert!(text.ends_with("0 runs added, 0 removed\n"), "{text}");

    let cut = file("cut-runs", saved.trim_end_matches("end\n"));
    refused(&["diff", path, &cut], 2, &format!("{cut}: line {}: the file stops here", saved.lines().count() - 1));
}

/// The line of the run `id` as if the server had ended truncated, and nothing had happened.
fn altered(line: &str, id: &str) -> String {
    match line.strip_prefix(&format!("run {id}\t")) {
        None => line.to_owned(),
        Some(rest) => {
            let client = rest.split('\t').next().unwrap_or_default();
            format!("run {id}\t{client}\ttruncated (1/0/0)\t")
        }
    }
}

// ---- random ----

#[test]
fn random_scenarios_are_counted() {
    let output = echo_sim(&["random", "--seeds", "0..50", "--backend", "pair"]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.starts_with("50 of the seeds 0..50 on pair: the contract holds in all of them.\n"), "{text}");
}

#[test]
fn random_leaves_out_what_a_backend_cannot_express() {
    let output = echo_sim(&["random", "--seeds", "0..50"]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(
        text.contains("25 of the seeds 0..50 on packet: the contract holds in all of them.\n    25 other seeds"),
        "{text}"
    );
    let output = echo_sim(&["random", "--seeds", "1..2", "--backend", "packet"]);
    assert_eq!(output.status.code(), Some(2), "seed 1 needs what packets do not have: {}", stdout(&output));
}
