//! A test names every MUST of PROTOCOL.md, and every named clause exists.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Clauses that this crate cannot test alone, because they need clocks or sockets, each with its test elsewhere.
const HELD_ELSEWHERE: [(&str, &str); 0] = [];

/// The text of each clause, by its number.
fn clauses() -> BTreeMap<String, String> {
    let mut clauses: BTreeMap<String, String> = BTreeMap::new();
    let mut current = None;
    let mut after_empty = true;
    for line in include_str!("../../PROTOCOL.md").lines() {
        let number = line.split(' ').next().unwrap_or_default();
        if after_empty && is_number(number) {
            assert!(!clauses.contains_key(number), "clause {number} is there twice");
            current = Some(number.to_owned());
        } else if line.starts_with('#') {
            current = None;
        }
        if let Some(number) = &current {
            clauses.entry(number.clone()).or_default().push_str(line);
        }
        after_empty = line.is_empty();
    }
    clauses
}

fn is_number(word: &str) -> bool {
    word.split_once('.').is_some_and(|(section, clause)| [section, clause].iter().all(|n| n.parse::<u8>().is_ok()))
}

/// All clauses that the Rust files of `folder` name as `clause N.M`.
fn named_in(folder: &str) -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut named = BTreeSet::new();
    for text in rust_files(&folder) {
        for rest in text.split("clause ").skip(1) {
            let number: String = rest.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
            let number = number.trim_end_matches('.');
            if is_number(number) {
                named.insert(number.to_owned());
            }
        }
    }
    named
}

/// The text of every Rust file below `folder`.
pub(crate) fn rust_files(folder: &Path) -> Vec<String> {
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            texts.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            texts.push(std::fs::read_to_string(path).expect("a readable file"));
        }
    }
    texts
}

#[test]
fn every_must_is_named_by_a_test() {
    let named = named_in("tests/it");
    let elsewhere: BTreeSet<&str> = HELD_ELSEWHERE.iter().map(|(clause, _)| *clause).collect();
    let clauses = clauses();
    assert!(clauses.len() > 50, "the clauses are found");
    let missing: Vec<&String> = clauses
        .iter()
        .filter(|(number, text)| {
            text.contains("MUST") && !named.contains(*number) && !elsewhere.contains(number.as_str())
        })
        .map(|(number, _)| number)
        .collect();
    assert!(missing.is_empty(), "no test names {missing:?}");
}

#[test]
fn every_clause_named_exists() {
    let clauses = clauses();
    for folder in ["src", "tests/it"] {
        let unknown: Vec<String> =
            named_in(folder).into_iter().filter(|number| !clauses.contains_key(number)).collect();
        assert!(unknown.is_empty(), "{folder} names {unknown:?}");
    }
}
