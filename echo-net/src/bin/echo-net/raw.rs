//! The mode of the terminal: without echo and lines while there is a prompt, and afterwards as it was.

use crate::standard::StandardStream;
use rustix::process::{Signal, kill_current_process_group};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use rustyline::{Cmd, ConditionalEventHandler, Event, EventContext, RepeatCount};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

const BRACKETED_PASTE_ON: &[u8] = b"\x1b[?2004h";
const BRACKETED_PASTE_OFF: &[u8] = b"\x1b[?2004l";

/// A terminal and the mode that it had. Clones are of the same one.
#[derive(Clone)]
pub(crate) struct Mode(Arc<(OwnedFd, Termios)>);

impl Mode {
    /// The mode of standard input, which must be a terminal.
    pub(crate) fn of_stdin() -> io::Result<Self> {
        let terminal = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
        let before = tcgetattr(&terminal)?;
        Ok(Self(Arc::new((terminal, before))))
    }

    pub(crate) fn terminal(&self) -> &OwnedFd {
        &self.0.0
    }

    /// From the beginning to the end and not only at the prompt, so that no key falls between two prompts, where the
    /// terminal would interpret it.
    pub(crate) fn set_raw(&self) -> io::Result<()> {
        let mut raw = self.0.1.clone();
        raw.make_raw();
        // A newline still begins a line.
        raw.output_modes = self.0.1.output_modes;
        self.set(&raw)
    }

    /// As it was; if the terminal is gone, there is nothing to give back. The mode comes first: a terminal that takes
    /// nothing has one, too.
    pub(crate) fn restore(&self) {
        let _ = self.set(&self.0.1);
        StandardStream::stdout().write_in_time(BRACKETED_PASTE_OFF);
    }

    fn set(&self, mode: &Termios) -> io::Result<()> {
        Ok(tcsetattr(&self.0.0, OptionalActions::Now, mode)?)
    }
}

/// Ctrl-Z stops the program, and gives the terminal back as long.
pub(crate) struct Suspend(pub(crate) Mode);

impl ConditionalEventHandler for Suspend {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, _: &EventContext<'_>) -> Option<Cmd> {
        self.0.restore();
        let _ = kill_current_process_group(Signal::TSTP);
        // It goes on here when it is continued.
        let _ = self.0.set_raw();
        StandardStream::stdout().write_in_time(BRACKETED_PASTE_ON);
        Some(Cmd::Repaint)
    }
}
