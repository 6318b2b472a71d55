//! The terminal's mode: raw while there is a prompt, and restored afterwards.

use crate::standard::StandardStream;
use rustix::process::{Signal, kill_current_process_group};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use rustyline::{Cmd, ConditionalEventHandler, Event, EventContext, RepeatCount};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

const BRACKETED_PASTE_ON: &[u8] = b"\x1b[?2004h";
const BRACKETED_PASTE_OFF: &[u8] = b"\x1b[?2004l";

/// A terminal and its original mode. Clones share them.
#[derive(Clone)]
pub(crate) struct Mode(Arc<(OwnedFd, Termios)>);

impl Mode {
    /// Saves the mode of standard input, which must be a terminal.
    pub(crate) fn of_stdin() -> io::Result<Self> {
        let terminal = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
        let before = tcgetattr(&terminal)?;
        Ok(Self(Arc::new((terminal, before))))
    }

    pub(crate) fn terminal(&self) -> &OwnedFd {
        &self.0.0
    }

    /// Sets raw mode from the beginning to the end, not only at the prompt: between two prompts the terminal would
    /// interpret keys.
    pub(crate) fn set_raw(&self) -> io::Result<()> {
        let mut raw = self.0.1.clone();
        raw.make_raw();
        // Keep the output modes, so that a newline begins a line.
        raw.output_modes = self.0.1.output_modes;
        self.set(&raw)
    }

    /// Restores the original mode; errors are ignored, because the terminal may be gone. The mode is set before the
    /// write, because setting it works even if the terminal takes no output.
    pub(crate) fn restore(&self) {
        let _ = self.set(&self.0.1);
        StandardStream::stdout().write_in_time(BRACKETED_PASTE_OFF);
    }

    fn set(&self, mode: &Termios) -> io::Result<()> {
        Ok(tcsetattr(&self.0.0, OptionalActions::Now, mode)?)
    }
}

/// Handles Ctrl-Z: stops the program and restores the terminal meanwhile.
pub(crate) struct Suspend(pub(crate) Mode);

impl ConditionalEventHandler for Suspend {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, _: &EventContext<'_>) -> Option<Cmd> {
        self.0.restore();
        let _ = kill_current_process_group(Signal::TSTP);
        // The process continues here.
        let _ = self.0.set_raw();
        StandardStream::stdout().write_in_time(BRACKETED_PASTE_ON);
        Some(Cmd::Repaint)
    }
}
