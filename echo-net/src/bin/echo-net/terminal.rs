//! The prompt: an input line that the network can write above.
//!
//! The editor reads in a thread of its own, from a [`Keyboard`] that stands in for the terminal, and tells a [`Draft`] what
//! stands at the prompt. So it ends whenever it is told to, and nothing that was typed is lost without a word.

use crate::draft::Draft;
use crate::exit::counted;
use crate::history;
use crate::keyboard::{End, Keyboard};
use crate::raw::{Mode, Suspend};
use crate::standard::{STALLED, StandardStream};
use echo_net::printable;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{Cmd, Config, Editor, EventHandler, ExternalPrinter, KeyEvent};
use std::io::{self, Write};
use std::sync::mpsc as threads;
use std::sync::{Arc, OnceLock};
use std::thread::Builder;
use std::time::Instant;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, spawn_blocking};

const PROMPT: &str = "> ";
/// Shown above the prompt, it changes nothing: it goes a line up, and down again.
const NOTHING: &str = "\x1b[A\n";
/// Takes back the line that an empty prompt stood in.
const PROMPT_OFF: &[u8] = b"\x1b[A\x1b[K";
/// Why a line is not sent that nobody took before the end.
const OVER: &str = "the conversation is over";
/// How long a lone Escape may be the beginning of a key, in milliseconds.
const ESCAPE_MS: u16 = 500;

/// What a person did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Typed or pasted a line.
    Line(String),
    /// An empty line or Ctrl-D, or the terminal is gone: wants to end.
    End,
    /// Ctrl-C: wants to end too, the second time at once.
    Interrupt,
}

/// What the thread tells that reads.
enum Typed {
    /// What stood at the prompt at Enter.
    Text(String),
    EndOfFile,
    /// What stood at the prompt at Ctrl-C.
    Interrupt(Vec<String>),
    /// Nothing more comes, and why.
    Gone(String),
}

pub(crate) struct Terminal {
    typed: mpsc::UnboundedReceiver<Typed>,
    /// Lines that were pasted together and wait to be taken, the last first.
    pasted: Vec<String>,
    texts: threads::Sender<String>,
    printed: threads::Receiver<()>,
    has_read: threads::Receiver<()>,
    draft: Draft,
    keyboard: Keyboard,
    mode: Mode,
    continuing: AbortHandle,
    ending: bool,
    not_sent: usize,
    /// Why nothing more is typed.
    gone: Option<String>,
}

impl Terminal {
    /// # Errors
    /// Standard input and output are no terminal, or one that cannot be used.
    pub(crate) fn open() -> io::Result<Self> {
        let mode = Mode::of_stdin()?;
        let keyboard = Keyboard::stand_in(&mode)?;
        let draft = Draft::default();
        let mut editor = editor(&draft, &mode).map_err(io::Error::other)?;
        history::load(&mut editor);
        let printer = editor.create_external_printer().map_err(io::Error::other)?;
        let (sender, typed) = mpsc::unbounded_channel();
        let (texts, to_print) = threads::channel();
        let (done, printed) = threads::channel();
        let (end, has_read) = threads::channel();
        let continuing = raw_when_continued(mode.clone(), texts.clone())?;
        mode.set_raw()?;
        let reader = Reader { editor, draft: draft.clone(), end: keyboard.end(), typed: sender };
        Builder::new().spawn(move || {
            // Heard even if the editor panics.
            let _end = end;
            reader.run();
        })?;
        Builder::new().spawn(move || print_all(printer, &to_print, &done))?;
        Ok(Self {
            typed,
            pasted: Vec::new(),
            texts,
            printed,
            has_read,
            draft,
            keyboard,
            mode,
            continuing,
            ending: false,
            not_sent: 0,
            gone: None,
        })
    }

    /// Waits for a person. Can be dropped and called again: what stands at the prompt stays.
    pub(crate) async fn wish(&mut self) -> Wish {
        loop {
            while let Some(line) = self.pasted.pop() {
                match self.ending {
                    true => self.not_sent("we are leaving", &line),
                    false => return Wish::Line(line),
                }
            }
            if self.gone.is_some() {
                return std::future::pending().await;
            }
            match self.typed.recv().await.unwrap_or_else(|| Typed::Gone("the prompt has failed".to_owned())) {
                Typed::Text(text) if text.is_empty() => return Wish::End,
                Typed::Text(text) => self.pasted = lines(&text),
                Typed::EndOfFile => return Wish::End,
                Typed::Interrupt(texts) => {
                    for line in texts.iter().flat_map(|text| lines(text).into_iter().rev()) {
                        self.not_sent("interrupted", &line);
                    }
                    return Wish::Interrupt;
                }
                Typed::Gone(why) => {
                    self.gone = Some(why);
                    return Wish::End;
                }
            }
        }
    }

    /// From now on lines are not taken any more.
    pub(crate) fn ending(&mut self) {
        self.ending = true;
    }

    /// Shows a line above the prompt.
    pub(crate) fn write(&mut self, line: &str) {
        // The thread that prints ends only if the terminal fails, and then there is nobody to tell.
        let _ = self.texts.send(format!("{line}\n"));
    }

    /// Tells a person that a line was not sent, and remembers it for the end.
    pub(crate) fn not_sent(&mut self, why: &str, line: &str) {
        self.not_sent += 1;
        self.write(&is_not_sent(why, line));
    }

    /// Shows all lines and gives the terminal back, within a second if it takes nothing or is gone; gives what was not
    /// well.
    pub(crate) async fn close(mut self) -> Vec<String> {
        for line in std::mem::take(&mut self.pasted).iter().rev() {
            self.not_sent(OVER, line);
        }
        self.continuing.abort();
        let Self { mut typed, texts, printed, has_read, draft, mut keyboard, mode, mut not_sent, mut gone, .. } = self;
        drop(texts);
        let closed = spawn_blocking(move || {
            let until = Instant::now() + STALLED;
            let left = || until.saturating_duration_since(Instant::now());
            let keys = keyboard.finish(left());
            let is_shown = printed.recv_timeout(left()).is_ok();
            drop(keys);
            // The sender is dropped at the end.
            let _ = has_read.recv_timeout(left());
            drop(keyboard);
            mode.restore();
            is_shown
        });
        let is_shown = closed.await.unwrap_or(false);
        let mut rest = Vec::new();
        while let Ok(more) = typed.try_recv() {
            match more {
                Typed::Text(text) => rest.push(text),
                Typed::Interrupt(texts) => rest.extend(texts),
                Typed::EndOfFile => (),
                Typed::Gone(why) => gone = gone.or(Some(why)),
            }
        }
        rest.extend(draft.close());
        for line in rest.iter().flat_map(|text| lines(text).into_iter().rev()).filter(|line| !line.is_empty()) {
            not_sent += 1;
            StandardStream::stdout().write_in_time(format!("{}\n", is_not_sent(OVER, &line)).as_bytes());
        }
        let not_shown = (!is_shown).then(|| "the terminal did not take what was to be shown".to_owned());
        let not_sent = (not_sent > 0).then(|| format!("{} not sent", counted(not_sent, "line")));
        gone.into_iter().chain(not_shown).chain(not_sent).collect()
    }
}

fn editor(draft: &Draft, mode: &Mode) -> rustyline::Result<Editor<Draft, FileHistory>> {
    let config =
        Config::builder().history_ignore_space(true).max_history_size(1000)?.keyseq_timeout(Some(ESCAPE_MS)).build();
    let mut editor = Editor::with_config(config)?;
    editor.set_helper(Some(draft.clone()));
    for search in ['R', 'S'] {
        editor.bind_sequence(KeyEvent::ctrl(search), EventHandler::Conditional(Box::new(draft.clone())));
    }
    // They would take the next key as it is, whatever it is.
    for quotes in ['V', 'Q'] {
        editor.bind_sequence(KeyEvent::ctrl(quotes), Cmd::Noop);
    }
    editor.bind_sequence(KeyEvent::ctrl('Z'), EventHandler::Conditional(Box::new(Suspend(mode.clone()))));
    Ok(editor)
}

/// Whoever stops the program from outside gives the terminal another mode.
fn raw_when_continued(mode: Mode, texts: threads::Sender<String>) -> io::Result<AbortHandle> {
    let mut continued = signal(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()))?;
    let task = tokio::spawn(async move {
        while continued.recv().await.is_some() {
            let _ = mode.set_raw();
            // The prompt is shown again.
            let _ = texts.send(NOTHING.to_owned());
        }
    });
    Ok(task.abort_handle())
}

fn is_not_sent(why: &str, line: &str) -> String {
    format!("not sent, {why}: {}", printable(line.as_bytes()))
}

/// The lines of what was typed or pasted, the last first; a newline at its end ends the last one.
fn lines(text: &str) -> Vec<String> {
    text.strip_suffix('\n').unwrap_or(text).rsplit('\n').map(str::to_owned).collect()
}

/// Prints until there is nothing more to print; the editor has taken all of it then, and all keys that came before.
fn print_all(mut printer: impl ExternalPrinter, texts: &threads::Receiver<String>, done: &threads::Sender<()>) {
    let mut print = |text: String| {
        // Where the editor has ended, there is no prompt to print above.
        printer.print(text.clone()).or_else(|_| StandardStream::stdout().write_all(text.as_bytes()))
    };
    let mut written = Ok(());
    while let Ok(text) = texts.recv() {
        written = written.and(print(text));
    }
    // The editor takes one text after the other, keys first: when it has room for the second, it has taken the first.
    let taken = written.and_then(|()| print(NOTHING.to_owned())).and_then(|()| print(NOTHING.to_owned()));
    if taken.is_ok() {
        let _ = done.send(());
    }
}

/// The thread that reads what is typed.
struct Reader {
    editor: Editor<Draft, FileHistory>,
    draft: Draft,
    /// Whether an end of what it reads was not typed.
    end: Arc<OnceLock<End>>,
    typed: mpsc::UnboundedSender<Typed>,
}

impl Reader {
    /// Reads until the keyboard is closed, or the terminal gone.
    fn run(mut self) {
        loop {
            let read = self.editor.readline(PROMPT);
            match (read, self.end.get()) {
                (Ok(text), _) => {
                    if !text.is_empty() {
                        // The history is in memory: nothing fails.
                        let _ = self.editor.add_history_entry(&text);
                    }
                    self.draft.hand_over(|_| self.tell(Typed::Text(text)));
                }
                (Err(ReadlineError::Interrupted), _) => {
                    self.draft.hand_over(|lines| self.tell(Typed::Interrupt(lines)))
                }
                (Err(_), Some(End::Closed)) => break,
                (Err(_), Some(End::Gone)) => {
                    self.tell(Typed::Gone("the terminal is gone".to_owned()));
                    break;
                }
                (Err(ReadlineError::Eof), None) => self.tell(Typed::EndOfFile),
                (Err(error), None) => {
                    self.tell(Typed::Gone(format!("the prompt has failed: {error}")));
                    break;
                }
            }
        }
        if self.draft.is_empty() {
            let _ = StandardStream::stdout().write_all(PROMPT_OFF);
        }
        history::save(&mut self.editor);
    }

    fn tell(&self, typed: Typed) {
        // Nobody listens any more after the end.
        let _ = self.typed.send(typed);
    }
}
