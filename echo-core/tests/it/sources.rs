//! The crate is deterministic: its sources contain no clock, randomness, unordered map or runtime.

use crate::clauses::rust_files;
use std::path::Path;

/// Texts that no source of this crate may contain.
const FORBIDDEN: [&str; 8] = ["::now(", "HashMap", "HashSet", "RandomState", "rand::", "tokio", "std::net", "thread::"];

fn forbidden(text: &str) -> Vec<&'static str> {
    FORBIDDEN.into_iter().filter(|word| text.contains(word)).collect()
}

#[test]
fn no_clock_no_chance_no_io() {
    let sources = rust_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(sources.len() > 10, "the sources are found");
    for text in sources {
        assert_eq!(forbidden(&text), [""; 0], "in {}", text.lines().next().unwrap_or_default());
    }
    assert_eq!(forbidden("Instant::now()"), ["::now("], "the search finds what it looks for");
}

#[test]
fn few_dependencies() {
    let manifest = include_str!("../../Cargo.toml");
    let section = manifest.split("[dependencies]").nth(1).and_then(|rest| rest.split("\n[").next()).expect("a section");
    let (optional, always): (Vec<_>, Vec<_>) =
        section.lines().filter(|line| !line.is_empty()).partition(|line| line.contains("optional = true"));
    let names =
        |lines: Vec<&'static str>| lines.into_iter().filter_map(|line| line.split(' ').next()).collect::<Vec<_>>();
    assert_eq!((names(always), names(optional)), (vec!["chrono"], vec!["serde"]));
}
