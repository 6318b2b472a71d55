//! The prompt: an input line, with output of the network above it.
//!
//! The editor reads in its own thread, from a [`Keyboard`] that replaces the terminal, and reports the text at the
//! prompt to a [`Draft`]. So it can be stopped at any time, and no typed text is lost silently.

use crate::draft::Draft;
use crate::editor::{Asks, LastKey, NOTHING, Printing, Reader, Typed, editor};
use crate::exit::counted;
use crate::history;
use crate::keyboard::Keyboard;
use crate::limits::check_files;
use crate::raw::Mode;
use crate::signals::Signals;
use crate::standard::{STALLED, StandardStream};
use echo_net::printable;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self as threads, RecvTimeoutError};
use std::thread::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, spawn_blocking};
use tokio::time::sleep;

/// Why a line was not sent that was not taken before the end.
const OVER: &str = "the conversation is over";
/// Number of files that a prompt opens.
const FILES: usize = 14;

/// An input of the user.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum UserCommand {
    /// A typed or pasted line.
    Line(String),
    /// End: an empty line or Ctrl-D, or the terminal is gone.
    End,
    /// End by Ctrl-C. The second one aborts.
    Interrupt,
    /// The second Ctrl-C, seen even if the editor is stuck.
    Insist,
}

pub(crate) struct Terminal {
    typed: mpsc::UnboundedReceiver<Typed>,
    /// Lines that were pasted together and are not yet taken, in reverse order.
    pasted: Vec<String>,
    texts: threads::Sender<String>,
    printed: threads::Receiver<()>,
    progress: Arc<AtomicUsize>,
    last_key: threads::Receiver<()>,
    has_read: threads::Receiver<()>,
    draft: Draft,
    keyboard: Keyboard,
    mode: Mode,
    continuing: AbortHandle,
    ending: bool,
    not_sent: usize,
    /// Why no more is typed.
    gone: Option<String>,
}

impl Terminal {
    /// Opens the prompt on standard input and output.
    ///
    /// # Errors
    /// Standard input or output is not a usable terminal, or too few files can be opened.
    pub(crate) fn open() -> io::Result<Self> {
        check_files(FILES).map_err(io::Error::other)?;
        let mode = Mode::of_stdin()?;
        Self::on(&mode).inspect_err(|_| mode.restore())
    }

    fn on(mode: &Mode) -> io::Result<Self> {
        let (sender, typed) = mpsc::unbounded_channel();
        let insists = {
            let sender = sender.clone();
            // The receiver is gone after the end.
            move || drop(sender.send(Typed::Insist))
        };
        let keyboard = Keyboard::stand_in(mode, insists)?;
        let draft = Draft::default();
        let (tell_last, last_key) = threads::channel();
        let closing = LastKey { end: keyboard.end(), tell: tell_last };
        let asks = Asks { draft: draft.clone(), typed: sender.clone() };
        let mut editor = editor(&draft, mode, closing, &asks).map_err(io::Error::other)?;
        history::load(&mut editor);
        let printer = editor.create_external_printer().map_err(io::Error::other)?;
        let (texts, to_print) = threads::channel();
        let (done, printed) = threads::channel();
        let (end, has_read) = threads::channel();
        let progress = Arc::new(AtomicUsize::new(0));
        let continuing = raw_when_continued(mode.clone(), texts.clone())?;
        mode.set_raw()?;
        let reader = Reader { editor, draft: draft.clone(), end: keyboard.end(), typed: sender };
        Builder::new().spawn(move || {
            // The receiver notices this even if the editor panics.
            let _end = end;
            reader.run();
        })?;
        let printing = Printing { progress: progress.clone(), done };
        Builder::new().spawn(move || printing.print_all(printer, &to_print))?;
        Ok(Self {
            typed,
            pasted: Vec::new(),
            texts,
            printed,
            progress,
            last_key,
            has_read,
            draft,
            keyboard,
            mode: mode.clone(),
            continuing,
            ending: false,
            not_sent: 0,
            gone: None,
        })
    }

    /// Waits for the user. Cancel safe: the text at the prompt stays.
    pub(crate) async fn next_command(&mut self) -> UserCommand {
        loop {
            while let Some(line) = self.pasted.pop() {
                match self.ending {
                    true => self.not_sent("the conversation is ending", &line),
                    false => return UserCommand::Line(line),
                }
            }
            if self.gone.is_some() {
                return std::future::pending().await;
            }
            match self.typed.recv().await.unwrap_or_else(|| Typed::Gone("the prompt has failed".to_owned())) {
                Typed::Text(text) if text.is_empty() => return UserCommand::End,
                Typed::Text(text) => self.pasted = lines(&text),
                Typed::EndOfFile => return UserCommand::End,
                Typed::Interrupt(texts) => {
                    for line in texts.iter().flat_map(|text| lines(text).into_iter().rev()) {
                        self.not_sent("interrupted", &line);
                    }
                    return UserCommand::Interrupt;
                }
                Typed::Insist => return UserCommand::Insist,
                Typed::Gone(why) => {
                    self.gone = Some(why);
                    return UserCommand::End;
                }
            }
        }
    }

    /// Takes no more lines from now on.
    pub(crate) fn ending(&mut self) {
        self.ending = true;
    }

    /// Shows a line above the prompt.
    pub(crate) fn write(&mut self, line: &str) {
        // The printing thread ends only if the terminal fails, and then nothing can be shown.
        let _ = self.texts.send(format!("{line}\n"));
    }

    /// Shows that a line was not sent, and counts it for the end.
    pub(crate) fn not_sent(&mut self, why: &str, line: &str) {
        self.not_sent += 1;
        self.write(&is_not_sent(why, line));
    }

    /// Shows all lines and restores the terminal. Returns the problems. It does not wait for a terminal that takes
    /// nothing for a second, nor longer than a second after the second signal.
    pub(crate) async fn close(mut self, signals: &Signals) -> Vec<String> {
        for line in std::mem::take(&mut self.pasted).iter().rev() {
            self.not_sent(OVER, line);
        }
        self.continuing.abort();
        let Self { mut typed, texts, printed, progress, last_key, has_read, draft, .. } = self;
        let Self { mut keyboard, mode, mut not_sent, mut gone, .. } = self;
        let closed = spawn_blocking(move || {
            let wait = |what: &threads::Receiver<()>| {
                let mut seen = progress.load(Ordering::Relaxed);
                loop {
                    match what.recv_timeout(STALLED) {
                        Err(RecvTimeoutError::Timeout) if seen != progress.load(Ordering::Relaxed) => {
                            seen = progress.load(Ordering::Relaxed);
                        }
                        received => return received,
                    }
                }
            };
            // Then the draft holds all that was typed, and no key is left in the editor.
            let keys = keyboard.finish(STALLED);
            let is_read = keys.is_some() && wait(&last_key).is_ok();
            drop(texts);
            let is_shown = (is_read || keys.is_none()) && wait(&printed).is_ok();
            drop(keys);
            // The sender is dropped at the end.
            is_shown && wait(&has_read) == Err(RecvTimeoutError::Disconnected)
        });
        let is_shown = tokio::select! { biased;
            closed = closed => closed.unwrap_or(false),
            () = async { signals.reached(2).await; sleep(STALLED).await } => false,
        };
        if !is_shown {
            StandardStream::terminal_has_stalled();
        }
        mode.restore();
        let mut rest = Vec::new();
        while let Ok(more) = typed.try_recv() {
            match more {
                Typed::Text(text) => rest.push(text),
                Typed::Interrupt(texts) => rest.extend(texts),
                Typed::EndOfFile | Typed::Insist => (),
                Typed::Gone(why) => gone = gone.or(Some(why)),
            }
        }
        rest.extend(draft.close());
        for line in rest.iter().flat_map(|text| lines(text).into_iter().rev()).filter(|line| !line.is_empty()) {
            not_sent += 1;
            StandardStream::stdout().write_in_time(format!("{}\n", is_not_sent(OVER, &line)).as_bytes());
        }
        let not_shown = (!is_shown).then(|| "the terminal did not take all output".to_owned());
        let not_sent = (not_sent > 0).then(|| format!("{} not sent", counted(not_sent, "line")));
        gone.into_iter().chain(not_shown).chain(not_sent).collect()
    }
}

/// Sets raw mode again after SIGCONT, because a stop from outside changes the terminal's mode.
fn raw_when_continued(mode: Mode, texts: threads::Sender<String>) -> io::Result<AbortHandle> {
    let mut continued = signal(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()))?;
    let task = tokio::spawn(async move {
        while continued.recv().await.is_some() {
            let _ = mode.set_raw();
            // Show the prompt again.
            let _ = texts.send(NOTHING.to_owned());
        }
    });
    Ok(task.abort_handle())
}

fn is_not_sent(why: &str, line: &str) -> String {
    format!("not sent, {why}: {}", printable(line.as_bytes()))
}

/// Returns the lines of a typed or pasted text in reverse order. A newline at the end adds no line.
fn lines(text: &str) -> Vec<String> {
    text.strip_suffix('\n').unwrap_or(text).rsplit('\n').map(str::to_owned).collect()
}
