//! Why a text is no scenario, or a scenario cannot be run.

use std::fmt;
use std::ops::RangeInclusive;

/// Why something is not a scenario, or cannot be run.
///
/// It is shown as one line of at most [`ScenarioError::LENGTH`] characters: of a longer text the middle is left out, and
/// control characters are escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioError(pub String);

impl ScenarioError {
    /// How many characters of its text are shown at most.
    pub const LENGTH: usize = 1200;
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let escape = |c: char| if c.is_control() { c.escape_default().collect() } else { c.to_string() };
        let text: String = self.0.chars().map(escape).collect();
        let count = text.chars().count();
        if count <= Self::LENGTH {
            return f.write_str(&text);
        }
        let place = |index| text.char_indices().nth(index).map_or(text.len(), |(at, _)| at);
        let (head, tail) = (place(Self::LENGTH / 3), place(count - Self::LENGTH / 2));
        write!(f, "{} … ({count} characters in all) … {}", &text[..head], &text[tail..])
    }
}

/// The longest text that is read as an id, or as a line of a file, in bytes.
pub(crate) const LONGEST: usize = 8192;

/// Refuses a text that is too long to be `what`.
pub(crate) fn check_length(what: &str, text: &str) -> Result<(), ScenarioError> {
    match text.len() {
        0..=LONGEST => Ok(()),
        length => Err(ScenarioError(format!("{what} has at most {LONGEST} bytes, not {length}"))),
    }
}

/// Refuses a number of `what` that is out of `range`.
pub(crate) fn check_range(what: &str, number: u64, range: RangeInclusive<u64>) -> Result<(), ScenarioError> {
    if range.contains(&number) {
        return Ok(());
    }
    Err(ScenarioError(format!("{what} must be from {} to {}, not {number}", range.start(), range.end())))
}

impl std::error::Error for ScenarioError {}
