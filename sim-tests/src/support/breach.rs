//! Breaches of rules.

use std::fmt;

/// A rule that can be broken.
pub trait Rule: Copy {
    /// Returns its name, for people.
    fn name(self) -> &'static str;
}

/// A breach of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach<R> {
    /// The rule.
    pub rule: R,
    /// Where it was broken, and how this shows.
    pub what: String,
}

impl<R: Rule> fmt::Display for Breach<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule.name(), self.what)
    }
}
