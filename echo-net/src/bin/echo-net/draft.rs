//! The text at the prompt that is not yet handed over. The editor reports each change, so the text is known however the
//! editor ends.

use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Cmd, ConditionalEventHandler, Context, Event, EventContext, Helper, RepeatCount};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The shared draft. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Draft(Arc<Mutex<Text>>);

#[derive(Default)]
struct Text {
    line: String,
    /// The line's index in the history; `None` for a new line.
    index: Option<usize>,
    /// The line's text when it appeared at the prompt: from the history, or empty.
    original: String,
    /// Typed lines that other lines replaced, the latest one last.
    replaced: Vec<String>,
    /// The line at the start of a search, until the search finds something.
    searched_from: Option<String>,
    /// The draft was closed and reported as not sent. What the editor returns after that is a duplicate.
    closed: bool,
}

impl Text {
    /// Notes the line that the editor shows.
    fn show(&mut self, line: &str, index: Option<usize>) {
        let was = std::mem::replace(&mut self.line, line.to_owned());
        if self.index != index {
            // The editor forgets changes to a line of the history.
            if !was.is_empty() && was != self.original {
                self.replaced.push(was);
            }
            self.index = index;
            self.original = if index.is_some() { line.to_owned() } else { String::new() };
        } else if was != line
            && let Some(typed) = self.searched_from.take()
        {
            self.replaced.push(typed);
        }
        self.replaced.retain(|replaced| replaced != line);
    }

    /// Notes that a search begins: its result replaces the line.
    fn search(&mut self) {
        if !self.line.is_empty() && self.line != self.original {
            self.searched_from = Some(self.line.clone());
        }
    }

    fn take(&mut self) -> Vec<String> {
        let Self { line, replaced, .. } = std::mem::take(self);
        replaced.into_iter().chain((!line.is_empty()).then_some(line)).collect()
    }
}

impl Draft {
    fn lock(&self) -> MutexGuard<'_, Text> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands over the line that the editor returned, by `hand`. Returns the text of the next prompt: the last replaced
    /// line. It holds the lock meanwhile, so no text is in two places or in none. Does nothing once the draft is
    /// closed.
    pub(crate) fn hand_over(&self, hand: impl FnOnce()) -> String {
        let mut text = self.lock();
        if text.closed {
            return String::new();
        }
        let mut replaced = std::mem::take(&mut *text).replaced;
        hand();
        let next = replaced.pop().unwrap_or_default();
        text.replaced = replaced;
        text.line.clone_from(&next);
        next
    }

    /// Hands over the line and all replaced lines, by `hand`. Does nothing once the draft is closed.
    pub(crate) fn hand_over_all(&self, hand: impl FnOnce(Vec<String>)) {
        let mut text = self.lock();
        if !text.closed {
            hand(text.take());
        }
    }

    /// Returns the line at the prompt.
    pub(crate) fn line(&self) -> String {
        self.lock().line.clone()
    }

    /// Closes the draft. Returns the lines that were not sent: replaced lines, and the line at the prompt.
    pub(crate) fn close(&self) -> Vec<String> {
        let mut text = self.lock();
        let lines = text.take();
        text.closed = true;
        lines
    }
}

/// The editor asks for a hint after each change of the line.
impl Hinter for Draft {
    type Hint = String;

    fn hint(&self, line: &str, _: usize, context: &Context<'_>) -> Option<String> {
        let index = Some(context.history_index()).filter(|index| *index < context.history().len());
        self.lock().show(line, index);
        None
    }
}

/// Handles the keys that begin a search.
impl ConditionalEventHandler for Draft {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, _: &EventContext<'_>) -> Option<Cmd> {
        self.lock().search();
        None
    }
}

impl Completer for Draft {
    type Candidate = String;
}

impl Highlighter for Draft {}

impl Validator for Draft {}

impl Helper for Draft {}

#[cfg(test)]
mod tests {
    use super::{Draft, Text};

    #[test]
    fn what_was_typed_is_kept_wherever_the_editor_goes() {
        let mut text = Text::default();
        text.show("draft", None);
        text.show("old1", Some(1));
        text.show("old1 edited", Some(1));
        text.show("older", Some(0));
        text.show("new text", Some(0));
        text.show("old1", Some(1));
        assert_eq!(text.take(), ["draft", "old1 edited", "new text", "old1"]);
    }

    #[test]
    fn what_comes_back_is_there_once() {
        let mut text = Text::default();
        text.show("a", None);
        text.show("cat", Some(0));
        assert_eq!(text.replaced, ["a"]);
        text.show("a", None);
        text.show("a dog", None);
        assert_eq!(text.take(), ["a dog"]);
    }

    #[test]
    fn a_search_takes_the_place_of_a_line_only_if_it_finds_something() {
        let mut text = Text::default();
        text.show("typed", None);
        text.search();
        text.show("typed", None);
        assert!(text.replaced.is_empty());
        text.show("found", None);
        assert_eq!(text.take(), ["typed", "found"]);
    }

    #[test]
    fn what_was_replaced_stands_at_the_next_prompt() {
        let draft = Draft::default();
        draft.lock().show("typed", None);
        draft.lock().show("old", Some(0));
        assert_eq!(draft.hand_over(|| ()), "typed");
        assert_eq!(draft.close(), ["typed"]);
        assert_eq!(draft.hand_over(|| panic!("it is closed")), "");
    }
}
