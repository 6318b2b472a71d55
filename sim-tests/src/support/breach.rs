//! A broken promise, of whatever kind of rule.

use std::fmt;

/// A promise that can be broken.
pub trait Rule: Copy {
    /// Its name, for people.
    fn name(self) -> &'static str;
}

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach<R> {
    /// Which.
    pub rule: R,
    /// Where, and how it shows.
    pub what: String,
}

impl<R: Rule> fmt::Display for Breach<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule.name(), self.what)
    }
}
