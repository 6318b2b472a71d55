//! The prompt: an input line that the network can write above.

use rustyline_async::{Readline, ReadlineError, ReadlineEvent, SharedWriter};
use std::io::Write;

/// What a person did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Typed a line.
    Line(String),
    /// An empty line or Ctrl-D: wants to end.
    End,
    /// Ctrl-C: wants to end too, the second time at once.
    Interrupt,
}

pub(crate) struct Terminal {
    readline: Readline,
    writer: SharedWriter,
    ending: bool,
}

impl Terminal {
    pub(crate) fn open() -> Result<Self, ReadlineError> {
        let (readline, writer) = Readline::new("> ".to_owned())?;
        Ok(Self { readline, writer, ending: false })
    }

    /// Waits for a person. Can be dropped and called again: what stands at the prompt stays.
    ///
    /// # Errors
    /// The terminal is gone.
    pub(crate) async fn wish(&mut self) -> Result<Wish, ReadlineError> {
        loop {
            match self.readline.readline().await? {
                ReadlineEvent::Line(line) if line.is_empty() => return Ok(Wish::End),
                ReadlineEvent::Line(line) if self.ending => self.write(&format!("not sent, we are leaving: {line}")),
                ReadlineEvent::Line(line) => {
                    self.readline.add_history_entry(line.clone());
                    return Ok(Wish::Line(line));
                }
                ReadlineEvent::Eof => return Ok(Wish::End),
                ReadlineEvent::Interrupted => return Ok(Wish::Interrupt),
            }
        }
    }

    /// From now on lines are not taken any more.
    pub(crate) fn ending(&mut self) {
        self.ending = true;
    }

    /// Shows a line above the prompt, at once.
    pub(crate) fn write(&mut self, line: &str) {
        // The writer refuses only when hundreds of lines wait, so show those first; if the terminal itself fails,
        // there is nobody to tell.
        if writeln!(self.writer, "{line}").is_err() {
            let _ = self.readline.flush();
            let _ = writeln!(self.writer, "{line}");
        }
    }

    /// Shows all lines, erases the prompt and gives the terminal back.
    pub(crate) fn close(mut self) {
        let _ = self.readline.flush();
    }
}
