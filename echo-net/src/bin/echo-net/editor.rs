//! The line editor: its keys, the thread that reads, and the thread that prints above the prompt.

use crate::draft::Draft;
use crate::history;
use crate::keyboard::{End, LAST_KEY};
use crate::raw::{Mode, Suspend};
use crate::standard::StandardStream;
use rustyline::history::FileHistory;
use rustyline::{
    Cmd, ConditionalEventHandler, Config, Editor, Event, EventContext, EventHandler, ExternalPrinter, KeyEvent,
    Movement, RepeatCount,
};
use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc as threads;
use std::sync::{Arc, OnceLock};
use tokio::sync::mpsc;

const PROMPT: &str = "> ";
/// Text that changes nothing above the prompt: it moves one line up and down again.
pub(crate) const NOTHING: &str = "\x1b[A\n";
/// Removes the line of an empty prompt.
const PROMPT_OFF: &[u8] = b"\x1b[A\x1b[K";
/// Milliseconds until a lone Escape is a key of its own.
const ESCAPE_MS: u16 = 500;

/// Messages of the reading thread.
pub(crate) enum Typed {
    /// The text at the prompt at Enter.
    Text(String),
    EndOfFile,
    /// The text at the prompt at Ctrl-C.
    Interrupt(Vec<String>),
    Insist,
    /// No more input, with the reason.
    Gone(String),
}

pub(crate) fn editor(
    draft: &Draft,
    mode: &Mode,
    last_key: LastKey,
    asks: &Asks,
) -> rustyline::Result<Editor<Draft, FileHistory>> {
    let config =
        Config::builder().history_ignore_space(true).max_history_size(1000)?.keyseq_timeout(Some(ESCAPE_MS)).build();
    let mut editor = Editor::with_config(config)?;
    editor.set_helper(Some(draft.clone()));
    for search in ['R', 'S'] {
        editor.bind_sequence(KeyEvent::ctrl(search), EventHandler::Conditional(Box::new(draft.clone())));
    }
    // By default the editor returns at these keys, and drops the keys after them.
    for asking in ['C', '\\', 'D'] {
        editor.bind_sequence(KeyEvent::ctrl(asking), EventHandler::Conditional(Box::new(asks.clone())));
    }
    // By default these keys quote the next key, whatever it is.
    for quotes in ['V', 'Q'] {
        editor.bind_sequence(KeyEvent::ctrl(quotes), Cmd::Noop);
    }
    editor.bind_sequence(KeyEvent::ctrl(LAST_KEY), EventHandler::Conditional(Box::new(last_key)));
    editor.bind_sequence(KeyEvent::ctrl('Z'), EventHandler::Conditional(Box::new(Suspend(mode.clone()))));
    Ok(editor)
}

/// Handles the keys that ask for an end: Ctrl-C, Ctrl-\, and Ctrl-D at an empty line.
#[derive(Clone)]
pub(crate) struct Asks {
    pub(crate) draft: Draft,
    pub(crate) typed: mpsc::UnboundedSender<Typed>,
}

impl ConditionalEventHandler for Asks {
    fn handle(&self, key: &Event, _: RepeatCount, _: bool, context: &EventContext<'_>) -> Option<Cmd> {
        // The receiver is gone after the end.
        if key.get(0) == Some(&KeyEvent::ctrl('D')) {
            if !context.line().is_empty() {
                return None;
            }
            let _ = self.typed.send(Typed::EndOfFile);
            return Some(Cmd::Noop);
        }
        self.draft.hand_over_all(|lines| drop(self.typed.send(Typed::Interrupt(lines))));
        Some(Cmd::Kill(Movement::WholeBuffer))
    }
}

/// Handles the last key, which is inserted when no more is typed.
pub(crate) struct LastKey {
    pub(crate) end: Arc<OnceLock<End>>,
    pub(crate) tell: threads::Sender<()>,
}

impl ConditionalEventHandler for LastKey {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, _: &EventContext<'_>) -> Option<Cmd> {
        if self.end.get().is_some() {
            // The receiver is gone after the end.
            let _ = self.tell.send(());
        }
        Some(Cmd::Noop)
    }
}

/// The reading thread.
pub(crate) struct Reader {
    pub(crate) editor: Editor<Draft, FileHistory>,
    pub(crate) draft: Draft,
    /// Set if the end of the input was not typed.
    pub(crate) end: Arc<OnceLock<End>>,
    pub(crate) typed: mpsc::UnboundedSender<Typed>,
}

impl Reader {
    /// Reads until the keyboard is closed or the terminal is gone.
    pub(crate) fn run(mut self) {
        let mut next = String::new();
        loop {
            let read = self.editor.readline_with_initial(PROMPT, (&std::mem::take(&mut next), ""));
            match (read, self.end.get()) {
                (Ok(text), _) => {
                    if !text.is_empty() {
                        // The history is in memory, so this does not fail.
                        let _ = self.editor.add_history_entry(&text);
                    }
                    next = self.draft.hand_over(|| self.tell(Typed::Text(text)));
                }
                (Err(_), Some(End::Closed)) => break,
                (Err(_), Some(End::Gone)) => {
                    self.tell(Typed::Gone("the terminal was closed".to_owned()));
                    break;
                }
                (Err(error), None) => {
                    self.tell(Typed::Gone(format!("the prompt has failed: {error}")));
                    break;
                }
            }
        }
        if self.draft.line().is_empty() {
            let _ = StandardStream::stdout().write_all(PROMPT_OFF);
        }
        history::save(&mut self.editor);
    }

    fn tell(&self, typed: Typed) {
        // The receiver is gone after the end.
        let _ = self.typed.send(typed);
    }
}

/// The printing thread.
pub(crate) struct Printing {
    /// Number of texts printed.
    pub(crate) progress: Arc<AtomicUsize>,
    pub(crate) done: threads::Sender<()>,
}

impl Printing {
    /// Prints all texts, and returns when the editor has taken them.
    pub(crate) fn print_all(self, mut printer: impl ExternalPrinter, texts: &threads::Receiver<String>) {
        let mut print = |text: String| {
            // If the editor has ended, there is no prompt, so print directly.
            let printed = printer.print(text.clone());
            printed.or_else(|_| StandardStream::stdout().write_all(text.as_bytes()))?;
            self.progress.fetch_add(1, Ordering::Relaxed);
            io::Result::Ok(())
        };
        let mut written = Ok(());
        while let Ok(text) = texts.recv() {
            written = written.and_then(|()| print(text));
        }
        // The editor takes one text at a time: once the second fits, the first was taken.
        let taken = written.and_then(|()| print(NOTHING.to_owned())).and_then(|()| print(NOTHING.to_owned()));
        if taken.is_ok() {
            // The receiver is gone after the end.
            let _ = self.done.send(());
        }
    }
}
