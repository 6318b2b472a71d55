//! The prompt: an input line that the network can write above.
//!
//! The editor reads in a thread of its own, from a [`Keyboard`] that stands in for the terminal, and tells a [`Draft`] what
//! stands at the prompt. So it ends whenever it is told to, and nothing that was typed is lost without a word.

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

/// Why a line is not sent that nobody took before the end.
const OVER: &str = "the conversation is over";
/// The files that a prompt opens.
const FILES: usize = 14;

/// What a person did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum UserCommand {
    /// Typed or pasted a line.
    Line(String),
    /// An empty line or Ctrl-D, or the terminal is gone: wants to end.
    End,
    /// Ctrl-C: wants to end too, the second time at once.
    Interrupt,
    /// Ctrl-C for the second time, seen though the editor may be stuck.
    Insist,
}

pub(crate) struct Terminal {
    typed: mpsc::UnboundedReceiver<Typed>,
    /// Lines that were pasted together and wait to be taken, the last first.
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
    /// Why nothing more is typed.
    gone: Option<String>,
}

impl Terminal {
    /// # Errors
    /// Standard input and output are no terminal, or one that cannot be used.
    pub(crate) fn open() -> io::Result<Self> {
        check_files(FILES).map_err(io::Error::other)?;
        let mode = Mode::of_stdin()?;
        Self::on(&mode).inspect_err(|_| mode.restore())
    }

    fn on(mode: &Mode) -> io::Result<Self> {
        let (sender, typed) = mpsc::unbounded_channel();
        let insists = {
            let sender = sender.clone();
            // Nobody listens any more after the end.
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
            // Heard even if the editor panics.
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

    /// Waits for a person. Can be dropped and called again: what stands at the prompt stays.
    pub(crate) async fn wish(&mut self) -> UserCommand {
        loop {
            while let Some(line) = self.pasted.pop() {
                match self.ending {
                    true => self.not_sent("we are leaving", &line),
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

    /// Shows all lines and gives the terminal back; gives what was not well. A terminal that takes nothing for a second
    /// is not waited for, and after a second signal none.
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
            // All that was typed is in the draft then, and no key is between the editor and the next line.
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
        let not_shown = (!is_shown).then(|| "the terminal did not take what was to be shown".to_owned());
        let not_sent = (not_sent > 0).then(|| format!("{} not sent", counted(not_sent, "line")));
        gone.into_iter().chain(not_shown).chain(not_sent).collect()
    }
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
