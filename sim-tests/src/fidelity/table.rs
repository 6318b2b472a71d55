//! The table of known differences, FIDELITY.md, and its comparison with what was found.
//!
//! The table is a document for people. What is compared are the lines of its code blocks, by the word after the
//! opening fence: `endings`, `states`, `sometimes` or `stacks`.

use super::Comparison;
use crate::support::ScenarioError;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The table in this repository.
pub const TABLE: &str = include_str!("../../FIDELITY.md");

/// A kind of difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A sequence ends in another way: the simulators that differ, and the id.
    Endings,
    /// A socket passes through other states: those of the packet network, and those of Linux.
    States,
    /// Like [`Kind::States`], but by timers that expire within a few milliseconds of each other, so that it need not
    /// happen each time.
    Sometimes,
    /// A simulator's own stack behaves in another way: what it does, or what Linux does.
    Stacks,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Endings, Self::States, Self::Sometimes, Self::Stacks];

    /// Returns the word after the opening fence.
    pub fn id(self) -> &'static str {
        match self {
            Self::Endings => "endings",
            Self::States => "states",
            Self::Sometimes => "sometimes",
            Self::Stacks => "stacks",
        }
    }
}

/// Differences as lines of text, by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differences(BTreeMap<Kind, BTreeSet<String>>);

impl Differences {
    /// Reads a table.
    ///
    /// # Errors
    /// A code block of another kind, a line that stands in it twice, or a block without an end; with the number of the
    /// line.
    pub fn read(table: &str) -> Result<Self, ScenarioError> {
        let mut differences = Self::default();
        let mut block = None;
        for (number, line) in (1..).zip(table.lines()) {
            let wrong = |what: String| ScenarioError::Parse(format!("line {number} of the table: {what}"));
            match (line.strip_prefix("```"), block) {
                (Some(""), Some(_)) => block = None,
                (Some(word), None) => {
                    let kind = Kind::ALL.into_iter().find(|kind| kind.id() == word);
                    block = Some(kind.ok_or_else(|| {
                        wrong(format!("a block of {word:?}; expected endings, states, sometimes or stacks"))
                    })?);
                }
                (None, Some(kind)) if !differences.add(kind, line.to_owned()) => {
                    return Err(wrong(format!("{line:?} is there twice")));
                }
                (None, _) => (),
                (Some(_), Some(_)) => return Err(wrong("a block begins inside another".to_owned())),
            }
        }
        match block {
            None => Ok(differences),
            Some(kind) => Err(ScenarioError::Parse(format!("the table: the last block of {} has no end", kind.id()))),
        }
    }

    /// Returns the differences that were found.
    pub fn found(comparisons: &[Comparison]) -> Self {
        let mut differences = Self::default();
        for comparison in comparisons {
            let different = comparison.different();
            if !different.is_empty() {
                let names: Vec<&str> = different.into_iter().map(crate::Backend::id).collect();
                differences.add(Kind::Endings, format!("{}: {}", names.join(" "), comparison.scenario));
            }
            for [packet, linux] in comparison.different_states() {
                differences.add(Kind::States, format!("packet {packet} | linux {linux}"));
            }
        }
        differences
    }

    /// Adds a line. Returns `false` if it is there.
    pub fn add(&mut self, kind: Kind, line: String) -> bool {
        self.0.entry(kind).or_default().insert(line)
    }

    /// Returns the lines of one kind.
    pub fn lines(&self, kind: Kind) -> impl Iterator<Item = &str> {
        self.0.get(&kind).into_iter().flatten().map(String::as_str)
    }

    /// Returns only the lines that `is_kept` keeps.
    #[must_use]
    pub fn only(mut self, is_kept: impl Fn(Kind, &str) -> bool) -> Self {
        self.0.iter_mut().for_each(|(kind, lines)| lines.retain(|line| is_kept(*kind, line)));
        self
    }

    /// Returns whether a comparison has a difference that this table does not explain, or the table an ending of its
    /// sequence that the comparison does not have. State paths that it does not have may be those of other sequences.
    pub fn contradicts(&self, comparison: &Comparison) -> bool {
        let found = Self::found(std::slice::from_ref(comparison));
        let id = format!(": {}", comparison.scenario);
        let is_new = |kind: Kind| found.lines(kind).any(|line| !self.explains(kind, line));
        let is_missing = |line: &str| line.ends_with(&id) && !found.has(Kind::Endings, line);
        Kind::ALL.into_iter().any(is_new) || self.lines(Kind::Endings).any(is_missing)
    }

    /// Compares a table with what was found. Returns all mismatches.
    pub fn mismatches(table: &Self, found: &Self) -> Vec<Mismatch> {
        let of = |kind| {
            let new = found.lines(kind).filter(move |line| !table.explains(kind, line));
            let new = new.map(move |line| Mismatch::NotInTable(kind, line.to_owned()));
            let old = table.lines(kind).filter(move |line| kind != Kind::Sometimes && !found.has(kind, line));
            new.chain(old.map(move |line| Mismatch::NoLonger(kind, line.to_owned())))
        };
        Kind::ALL.into_iter().flat_map(of).collect()
    }

    fn has(&self, kind: Kind, line: &str) -> bool {
        self.0.get(&kind).is_some_and(|lines| lines.contains(line))
    }

    /// Returns whether this table has a line that was found.
    fn explains(&self, kind: Kind, line: &str) -> bool {
        self.has(kind, line) || kind == Kind::States && self.has(Kind::Sometimes, line)
    }
}

/// A line that is in the table or was found, but not both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// It was found, and the table does not have it.
    NotInTable(Kind, String),
    /// The table has it, and it was not found.
    NoLonger(Kind, String),
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotInTable(kind, line) => write!(f, "not in the table ({}): {line}", kind.id()),
            Self::NoLonger(kind, line) => write!(f, "no longer happens ({}): {line}", kind.id()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fidelity::Distribution;
    use crate::scenario::{Backend, Scenario};

    const SMALL: &str = "text\n```endings\npair: a\nturmoil: b\n```\n```states\nx | y\n```\n```sometimes\nz | y\n```\n";

    #[test]
    fn a_missing_and_an_invented_entry_are_mismatches() {
        let table = Differences::read(SMALL).expect("a table");
        assert_eq!(Differences::mismatches(&table, &table.clone().only(|kind, _| kind != Kind::Sometimes)), []);
        let mut found = table.clone();
        found.add(Kind::States, "new".to_owned());
        // Known, and it need not happen.
        found.add(Kind::States, "z | y".to_owned());
        let found = found.only(|kind, line| line != "pair: a" && kind != Kind::Sometimes);
        let texts: Vec<String> = Differences::mismatches(&table, &found).iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["no longer happens (endings): pair: a", "not in the table (states): new"]);
    }

    #[test]
    fn a_table_contradicts_a_comparison_in_both_directions() {
        let scenario: Scenario = "framed/client:close@idle/server:none/clear".parse().expect("an id");
        let id = scenario.to_string();
        let once = |text: &str| Distribution::from([(text.to_owned(), 1)]);
        let of = |pair, linux| {
            let endings = [(Backend::Pair, once(pair)), (Backend::Linux, once(linux))];
            Comparison { scenario: scenario.clone(), endings: endings.into(), states: BTreeMap::new() }
        };
        let table = |lines: &str| Differences::read(&format!("```endings\n{lines}```\n")).expect("a table");
        let (same, different) = (of("clean", "clean"), of("clean", "reset"));
        let (empty, other) = (table(""), table(&format!("pair: x{id}\n")));
        let entry = table(&format!("pair: {id}\n"));
        assert!(!empty.contradicts(&same) && empty.contradicts(&different));
        assert!(entry.contradicts(&same) && !entry.contradicts(&different));
        assert!(!other.contradicts(&same) && other.contradicts(&different));
    }

    #[test]
    fn a_malformed_table_is_refused_with_its_line() {
        for (table, error) in [
            (
                "```shell\n```",
                "line 1 of the table: a block of \"shell\"; expected endings, states, sometimes or stacks",
            ),
            ("```states\na\na\n```", "line 3 of the table: \"a\" is there twice"),
            ("```states\na", "the table: the last block of states has no end"),
            ("```states\n```states\n", "line 2 of the table: a block begins inside another"),
        ] {
            assert_eq!(Differences::read(table).expect_err("malformed").to_string(), error);
        }
    }
}
