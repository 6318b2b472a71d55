//! How both sides of a run ended, in a few words, to count the runs that ended alike.

use super::run::TrialRun;
use std::fmt::{self, Debug, Display, Write};

/// Most characters of what one side returned.
const MOST: usize = 60;

/// Both sides' ends: `client Ok(#), server Err(Os { code: #, …`.
pub(super) fn of<C: Debug, S: Debug>(run: &TrialRun<C, S>) -> String {
    format!("client {}, server {}", short(&run.client), short(&run.server))
}

fn short(ending: &impl Display) -> String {
    let mut short = Short { text: String::new(), room: MOST };
    // It fails where it is full, which spares writing the rest of a long value.
    let _ = write!(short, "{ending}");
    short.text
}

/// The first characters of a text, with `#` for each number.
struct Short {
    text: String,
    /// Number of characters that still have room.
    room: usize,
}

impl Write for Short {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        for character in part.chars() {
            let shown = match character {
                '0'..='9' if self.text.ends_with('#') => continue,
                '0'..='9' => '#',
                '\n' => ' ',
                other => other,
            };
            self.room = self.room.checked_sub(1).ok_or_else(|| {
                self.text.push('…');
                fmt::Error
            })?;
            self.text.push(shown);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_one_sign_and_lines_are_joined() {
        assert_eq!(short(&"Ok(120) a\nb 7"), "Ok(#) a b #");
    }

    #[test]
    fn what_is_long_is_cut_after_the_most_characters() {
        let long = "ä".repeat(MOST + 1);
        assert_eq!(short(&long), "ä".repeat(MOST) + "…");
        assert_eq!(short(&"ä".repeat(MOST)), "ä".repeat(MOST));
    }
}
