//! What stands at the prompt, and is not handed over yet. The editor tells it with every change, so that it is known
//! however the editor ends.

use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Cmd, ConditionalEventHandler, Context, Event, EventContext, Helper, RepeatCount};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Clones are of the same one.
#[derive(Clone, Default)]
pub(crate) struct Draft(Arc<Mutex<Text>>);

#[derive(Default)]
struct Text {
    line: String,
    /// What was typed before a line of the history took its place.
    replaced: Option<String>,
    /// Whether the line is one of the history.
    recalled: bool,
    /// It was taken to be told as not sent: what the editor still gives is the same once more.
    closed: bool,
}

impl Text {
    fn replace(&mut self, line: &str) {
        if self.replaced.is_none() && !line.is_empty() {
            self.replaced = Some(line.to_owned());
        }
    }

    fn take(&mut self) -> Vec<String> {
        self.recalled = false;
        let line = std::mem::take(&mut self.line);
        // What came back, and was gone on with, is told once.
        let replaced = self.replaced.take().filter(|replaced| !line.contains(replaced));
        replaced.into_iter().chain((!line.is_empty()).then_some(line)).collect()
    }
}

impl Draft {
    fn lock(&self) -> MutexGuard<'_, Text> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The editor has given the line back: here it is forgotten, and `hand` hands it on. Both at once, so that it is
    /// never in two places or in none. Not any more once the draft was closed.
    pub(crate) fn hand_over(&self, hand: impl FnOnce(Vec<String>)) {
        let mut text = self.lock();
        if !text.closed {
            hand(text.take());
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        let text = self.lock();
        text.line.is_empty() && text.replaced.is_none()
    }

    /// What is to be told as not sent: what was typed, and the line that took its place.
    pub(crate) fn close(&self) -> Vec<String> {
        let mut text = self.lock();
        text.closed = true;
        text.take()
    }
}

/// The editor asks for a hint whenever the line has changed.
impl Hinter for Draft {
    type Hint = String;

    fn hint(&self, line: &str, _: usize, context: &Context<'_>) -> Option<String> {
        let mut text = self.lock();
        let recalled = context.history_index() < context.history().len();
        if recalled && !text.recalled {
            let typed = std::mem::take(&mut text.line);
            text.replace(&typed);
        }
        text.recalled = recalled;
        if text.replaced.as_deref() == Some(line) && text.line != line {
            text.replaced = None;
        }
        line.clone_into(&mut text.line);
        None
    }
}

/// A search begins: what it finds takes the place of the line.
impl ConditionalEventHandler for Draft {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, context: &EventContext<'_>) -> Option<Cmd> {
        self.lock().replace(context.line());
        None
    }
}

impl Completer for Draft {
    type Candidate = String;
}

impl Highlighter for Draft {}

impl Validator for Draft {}

impl Helper for Draft {}
