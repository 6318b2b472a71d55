//! Errors of scenario texts and of runs.

use std::fmt;
use std::ops::RangeInclusive;

/// Why a text is no scenario, or a scenario has no record.
///
/// It is displayed as one line of at most [`MOST_SHOWN`] characters: the middle of a longer text is left out, and
/// control characters are escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScenarioError {
    /// A text is no valid id or file, or makes no sense.
    Parse(String),
    /// The scenario makes sense, but this backend or this build cannot run it.
    Unsupported(String),
    /// The simulation itself failed.
    Run(String),
}

/// The largest number of characters of an error that are displayed.
pub const MOST_SHOWN: usize = 1200;

impl ScenarioError {
    /// Returns the whole text, unchanged.
    pub fn text(&self) -> &str {
        match self {
            Self::Parse(text) | Self::Unsupported(text) | Self::Run(text) => text,
        }
    }

    /// Returns the same kind of error with another text.
    #[must_use]
    pub fn map(self, change: impl FnOnce(String) -> String) -> Self {
        match self {
            Self::Parse(text) => Self::Parse(change(text)),
            Self::Unsupported(text) => Self::Unsupported(change(text)),
            Self::Run(text) => Self::Run(change(text)),
        }
    }
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&one_line(self.text()))
    }
}

/// Returns a text as one line of at most [`MOST_SHOWN`] characters that is safe on a terminal.
pub fn one_line(text: &str) -> String {
    let escape = |c: char| if c.is_control() { c.escape_default().collect() } else { c.to_string() };
    let text: String = text.chars().map(escape).collect();
    let count = text.chars().count();
    if count <= MOST_SHOWN {
        return text;
    }
    let place = |index| text.char_indices().nth(index).map_or(text.len(), |(at, _)| at);
    let (head, tail) = (place(MOST_SHOWN / 3), place(count - MOST_SHOWN / 2));
    format!("{} … ({count} characters in all) … {}", &text[..head], &text[tail..])
}

/// The longest text that is read as an id, or as a line of a file, in bytes.
pub(crate) const LONGEST: usize = 8192;

/// Refuses a text that is too long to be `what`.
pub(crate) fn check_length(what: &str, text: &str) -> Result<(), ScenarioError> {
    match text.len() {
        0..=LONGEST => Ok(()),
        length => Err(ScenarioError::Parse(format!("{what} has at most {LONGEST} bytes, not {length}"))),
    }
}

/// Refuses a number of `what` that is outside `range`.
pub(crate) fn check_range(what: &str, number: u64, range: RangeInclusive<u64>) -> Result<(), ScenarioError> {
    if range.contains(&number) {
        return Ok(());
    }
    Err(ScenarioError::Parse(format!("{what} must be from {} to {}, not {number}", range.start(), range.end())))
}

impl std::error::Error for ScenarioError {}
