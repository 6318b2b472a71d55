//! The prompt: an input line that the network can write above.
//!
//! The editor reads in a thread of its own, and cannot be told to stop. So at the end its standard input is exchanged
//! for one that holds a single Enter: the editor gives back what stands at the prompt, and nothing that was typed is
//! lost without a word.

use crate::exit::counted;
use crate::history;
use crate::standard::StandardStream;
use echo_net::printable;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{
    Cmd, ConditionalEventHandler, Config, Editor, Event, EventContext, EventHandler, ExternalPrinter, KeyEvent,
    RepeatCount,
};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc as threads;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::spawn;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

const PROMPT: &str = "> ";
/// How long a terminal that takes nothing may hold up the end.
const STALLED: Duration = Duration::from_secs(2);
/// Shown above the prompt, it changes nothing: it goes a line up, and down again.
const NOTHING: &str = "\x1b[A\n";
/// Why a line is not sent that nobody took before the end.
const OVER: &str = "the conversation is over";
const BRACKETED_PASTE_OFF: &[u8] = b"\x1b[?2004l";

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
    Interrupt(String),
}

pub(crate) struct Terminal {
    typed: mpsc::UnboundedReceiver<Typed>,
    /// Lines that were pasted together and wait to be taken, the last first.
    pasted: Vec<String>,
    texts: threads::Sender<String>,
    printed: threads::Receiver<()>,
    has_read: threads::Receiver<()>,
    closing: Arc<AtomicBool>,
    waker: Box<dyn ExternalPrinter + Send>,
    mode: Raw,
    ending: bool,
    not_sent: usize,
}

impl Terminal {
    /// # Errors
    /// Standard input and output are no terminal, or one that cannot be used.
    pub(crate) fn open() -> io::Result<Self> {
        let mode = Raw::enter()?;
        let config = Config::builder().history_ignore_space(true).max_history_size(1000).map_err(io::Error::other)?;
        let mut editor = Editor::with_config(config.build()).map_err(io::Error::other)?;
        let interrupted = Arc::new(Mutex::new(String::new()));
        let on_interrupt = EventHandler::Conditional(Box::new(KeepLine(interrupted.clone())));
        editor.bind_sequence(KeyEvent::ctrl('C'), on_interrupt);
        editor.bind_sequence(KeyEvent::ctrl('Z'), EventHandler::Conditional(Box::new(mode.suspending())));
        history::load(&mut editor);
        let printer = editor.create_external_printer().map_err(io::Error::other)?;
        let waker = Box::new(editor.create_external_printer().map_err(io::Error::other)?);
        let closing = Arc::new(AtomicBool::new(false));
        let (sender, typed) = mpsc::unbounded_channel();
        let (texts, to_print) = threads::channel();
        let (done, printed) = threads::channel();
        let (end, has_read) = threads::channel();
        let reader = Reader { editor, interrupted, closing: closing.clone(), typed: sender };
        spawn(move || {
            reader.run();
            end.send(())
        });
        spawn(move || print_all(printer, &to_print, &done));
        Ok(Self {
            typed,
            pasted: Vec::new(),
            texts,
            printed,
            has_read,
            closing,
            waker,
            mode,
            ending: false,
            not_sent: 0,
        })
    }

    /// Waits for a person; `None` when the terminal is gone and nothing more comes of it. Can be dropped and called
    /// again: what stands at the prompt stays.
    pub(crate) async fn wish(&mut self) -> Option<Wish> {
        loop {
            while let Some(line) = self.pasted.pop() {
                match self.ending {
                    true => self.not_sent("we are leaving", &line),
                    false => return Some(Wish::Line(line)),
                }
            }
            match self.typed.recv().await? {
                Typed::Text(text) if text.is_empty() => return Some(Wish::End),
                Typed::Text(text) => self.pasted = lines(&text),
                Typed::EndOfFile => return Some(Wish::End),
                Typed::Interrupt(line) => {
                    if !line.is_empty() {
                        self.not_sent("interrupted", &line);
                    }
                    return Some(Wish::Interrupt);
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

    /// Shows all lines and gives the terminal back; gives what was typed and not sent.
    pub(crate) async fn close(mut self) -> Option<String> {
        for line in std::mem::take(&mut self.pasted).iter().rev() {
            self.not_sent(OVER, line);
        }
        let Self { mut typed, texts, printed, has_read, closing, mut waker, mode, mut not_sent, .. } = self;
        drop(texts);
        let closed = spawn_blocking(move || {
            // The terminal may take nothing, or be gone: then the end does not wait for it.
            let _ = printed.recv_timeout(STALLED);
            closing.store(true, Ordering::SeqCst);
            let Ok(keyboard) = press_enter() else { return };
            spawn(move || waker.print(NOTHING.to_owned()));
            let _ = has_read.recv_timeout(STALLED);
            let _ = rustix::stdio::dup2_stdin(&keyboard);
        });
        // It can only fail by a panic, and the lines below say what there is to say.
        let _ = closed.await;
        drop(mode);
        while let Ok(more) = typed.try_recv() {
            let (Typed::Text(text) | Typed::Interrupt(text)) = more else { continue };
            for line in lines(&text).iter().rev().filter(|line| !line.is_empty()) {
                not_sent += 1;
                let line = is_not_sent(OVER, line) + "\n";
                let _ = StandardStream::stdout().write_all(line.as_bytes());
            }
        }
        (not_sent > 0).then(|| format!("{} not sent", counted(not_sent, "line")))
    }
}

fn is_not_sent(why: &str, line: &str) -> String {
    format!("not sent, {why}: {}", printable(line.as_bytes()))
}

/// The lines of what was typed or pasted, the last first; a newline at its end ends the last one.
fn lines(text: &str) -> Vec<String> {
    text.strip_suffix('\n').unwrap_or(text).rsplit('\n').map(str::to_owned).collect()
}

/// Exchanges standard input for one in which Enter was pressed; gives what it was.
fn press_enter() -> io::Result<OwnedFd> {
    let keyboard = rustix::io::dup(rustix::stdio::stdin())?;
    let (reader, mut writer) = io::pipe()?;
    writer.write_all(b"\r")?;
    rustix::stdio::dup2_stdin(&reader)?;
    Ok(keyboard)
}

/// Prints until there is nothing more to print; the editor has taken all of it then.
fn print_all(mut printer: impl ExternalPrinter, texts: &threads::Receiver<String>, done: &threads::Sender<()>) {
    while let Ok(text) = texts.recv() {
        if printer.print(text).is_err() {
            break;
        }
    }
    // The editor takes one text after the other, so by then it has taken the last.
    let _ = printer.print(NOTHING.to_owned());
    let _ = done.send(());
}

/// The thread that reads what is typed.
struct Reader {
    editor: Editor<(), FileHistory>,
    interrupted: Arc<Mutex<String>>,
    closing: Arc<AtomicBool>,
    typed: mpsc::UnboundedSender<Typed>,
}

impl Reader {
    /// Reads until the terminal is closed, or gone.
    fn run(mut self) {
        loop {
            let prompt = if self.closing.load(Ordering::SeqCst) { "" } else { PROMPT };
            let typed = match self.editor.readline(prompt) {
                Ok(text) => {
                    if !text.is_empty() {
                        // The history is in memory: nothing fails.
                        let _ = self.editor.add_history_entry(&text);
                    }
                    Typed::Text(text)
                }
                Err(ReadlineError::Interrupted) => {
                    let mut line = self.interrupted.lock().unwrap_or_else(PoisonError::into_inner);
                    Typed::Interrupt(std::mem::take(&mut *line))
                }
                Err(ReadlineError::Eof) if !is_gone() => Typed::EndOfFile,
                Err(_) => break,
            };
            if self.typed.send(typed).is_err() {
                break;
            }
        }
        if self.closing.load(Ordering::SeqCst) {
            // The line that an empty prompt stood in.
            let _ = StandardStream::stdout().write_all(b"\x1b[A\x1b[K");
        }
        history::save(&mut self.editor);
    }
}

/// Whether the terminal has hung up.
fn is_gone() -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let input = rustix::stdio::stdin();
    let mut polled = [PollFd::new(&input, PollFlags::IN)];
    match poll(&mut polled, Some(&Timespec::default())) {
        Ok(_) => polled[0].revents().intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL),
        Err(_) => false,
    }
}

/// Ctrl-C interrupts, as usual; but the editor would forget what stood at the prompt.
struct KeepLine(Arc<Mutex<String>>);

impl ConditionalEventHandler for KeepLine {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, context: &EventContext<'_>) -> Option<Cmd> {
        context.line().clone_into(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
        Some(Cmd::Interrupt)
    }
}

/// The terminal without echo and lines, from the beginning to the end, so that no key falls between two prompts, where
/// the terminal would interpret it. Its drop brings back what was.
struct Raw(Arc<Termios>);

impl Raw {
    fn enter() -> io::Result<Self> {
        let mode = Self(Arc::new(tcgetattr(rustix::stdio::stdin())?));
        set_raw(&mode.0)?;
        Ok(mode)
    }

    fn suspending(&self) -> Suspend {
        Suspend(self.0.clone())
    }
}

fn set_raw(before: &Termios) -> io::Result<()> {
    let mut raw = before.clone();
    let output = raw.output_modes;
    raw.make_raw();
    // A newline still begins a line.
    raw.output_modes = output;
    Ok(tcsetattr(rustix::stdio::stdin(), OptionalActions::Drain, &raw)?)
}

impl Drop for Raw {
    fn drop(&mut self) {
        // If the terminal is gone, there is nothing to give back.
        let _ = StandardStream::stdout().write_all(BRACKETED_PASTE_OFF);
        let _ = tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, &self.0);
    }
}

/// Ctrl-Z stops the program, and gives the terminal back as long.
struct Suspend(Arc<Termios>);

impl ConditionalEventHandler for Suspend {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, _: &EventContext<'_>) -> Option<Cmd> {
        let _ = tcsetattr(rustix::stdio::stdin(), OptionalActions::Drain, &self.0);
        let _ = rustix::process::kill_current_process_group(rustix::process::Signal::TSTP);
        // It goes on here when it is continued.
        let _ = set_raw(&self.0);
        Some(Cmd::Repaint)
    }
}
