//! What the editor reads in place of the terminal: a pseudoterminal of our own, to which a thread hands on what is typed.
//! So the editor gets nothing but whole characters, and can be stopped wherever it waits for a key.

use crate::raw::Mode;
use crate::standard::{StandardInput, Stop, wait_to_write, was_stopped};
use crate::utf8::complete;
use rustix::fs::{OFlags, fcntl_setfl, open};
use rustix::io::Errno;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::sync::mpsc;
use std::sync::{Arc, OnceLock};
use std::thread::Builder;
use std::time::Duration;

const PASTE_BEGINS: &[u8] = b"\x1b[200~";
const PASTE_ENDS: &[u8] = b"\x1b[201~";
/// Aborts what a key has begun, a search for example. The first may end an escape sequence instead.
const ABORTS: &[u8] = b"\x07\x07";
const ENTER: &[u8] = b"\r";
/// So many pasted lines are given to the editor together; it cannot show more than 65,535.
const MOST_PASTED: usize = 1000;

/// Stands in for the terminal, until it is dropped.
pub(crate) struct Keyboard {
    mode: Mode,
    stop: Option<Stop>,
    /// The other end of what the editor reads, once nothing more is handed on.
    handed_on: mpsc::Receiver<OwnedFd>,
    end: Arc<OnceLock<End>>,
}

/// Why the editor reads an end that was not typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The conversation is over.
    Closed,
    /// The terminal is gone.
    Gone,
}

impl Keyboard {
    /// Exchanges standard input, which is the terminal.
    ///
    /// # Errors
    /// There is no pseudoterminal, no file or no thread to be had.
    pub(crate) fn stand_in(mode: &Mode) -> io::Result<Self> {
        let (keys, editor) = pseudoterminal()?;
        let (input, stop) = StandardInput::of(mode.terminal().try_clone()?)?;
        let (sender, handed_on) = mpsc::channel();
        let end = Arc::new(OnceLock::new());
        let keyboard = Self { mode: mode.clone(), stop: Some(stop), handed_on, end: end.clone() };
        rustix::stdio::dup2_stdin(&editor)?;
        Builder::new().spawn(move || {
            if hand_on(input, &keys) == End::Gone {
                let _ = end.set(End::Gone);
            } else {
                // If nobody takes it, the editor reads its end.
                let _ = sender.send(keys);
            }
        })?;
        Ok(keyboard)
    }

    /// Set before the editor reads an end that was not typed.
    pub(crate) fn end(&self) -> Arc<OnceLock<End>> {
        self.end.clone()
    }

    /// Hands on what has been typed until now, and makes the editor leave whatever it waits for. It reads on until the
    /// result is dropped, which is nothing if that does not work in time, or if the terminal is gone.
    pub(crate) fn finish(&mut self, within: Duration) -> Option<OwnedFd> {
        self.stop = None;
        let keys = self.handed_on.recv_timeout(within).ok();
        let _ = self.end.set(End::Closed);
        keys
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        let _ = rustix::stdio::dup2_stdin(self.mode.terminal());
    }
}

/// Both ends of one: where keys are given, and where they are read.
fn pseudoterminal() -> io::Result<(OwnedFd, OwnedFd)> {
    let keys = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&keys)?;
    unlockpt(&keys)?;
    let name = ptsname(&keys, Vec::new())?;
    let editor = open(name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, rustix::fs::Mode::empty())?;
    // The editor makes it so, too; but between two prompts it must not become anything else.
    let mut raw = tcgetattr(&editor)?;
    raw.make_raw();
    tcsetattr(&editor, OptionalActions::Now, &raw)?;
    fcntl_setfl(&keys, OFlags::NONBLOCK)?;
    Ok((keys, editor))
}

/// Hands on what is typed until the input is stopped, or the terminal gone.
fn hand_on(mut input: StandardInput<OwnedFd>, editor: &OwnedFd) -> End {
    let mut typed = Typed::default();
    let mut chunk = [0; 1024];
    loop {
        match input.read(&mut chunk) {
            Ok(0) => return End::Gone,
            Ok(count) => {
                if !give(editor, &typed.keys(&chunk[..count]), &input) {
                    return End::Closed;
                }
            }
            Err(error) if was_stopped(&error) => {
                give(editor, &typed.left(), &input);
                return End::Closed;
            }
            Err(_) => return End::Gone,
        }
    }
}

/// Gives whether the editor has taken it: once the input is stopped, it must do so soon.
fn give(editor: &OwnedFd, mut keys: &[u8], input: &StandardInput<OwnedFd>) -> bool {
    while !keys.is_empty() {
        match rustix::io::write(editor, keys) {
            Ok(count) => keys = &keys[count..],
            Err(Errno::INTR) => (),
            Err(Errno::AGAIN) if wait_to_write(editor, input) => (),
            Err(_) => return false,
        }
    }
    true
}

/// What was typed, as far as the editor's state depends on it.
#[derive(Default)]
struct Typed {
    /// The beginning of a character.
    begun: Vec<u8>,
    /// The last bytes, to find what begins and ends a paste.
    last: Vec<u8>,
    /// Lines of a paste that has begun and not ended.
    pasting: Option<usize>,
}

impl Typed {
    /// What the editor gets: whole characters, and a paste of many lines in parts.
    fn keys(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.begun.extend_from_slice(bytes);
        let rest = self.begun.split_off(complete(&self.begun));
        let text = std::mem::replace(&mut self.begun, rest);
        let mut keys = Vec::with_capacity(text.len());
        for byte in String::from_utf8_lossy(&text).bytes() {
            let begins_a_line =
                matches!(self.last.last(), Some(b'\r' | b'\n')) && !matches!(byte, b'\r' | b'\n' | 0x1b);
            if begins_a_line && self.pasting.is_some_and(|lines| lines >= MOST_PASTED) {
                keys.extend([PASTE_ENDS, ENTER, PASTE_BEGINS].concat());
                self.pasting = Some(0);
            }
            keys.push(byte);
            self.note(byte);
        }
        keys
    }

    fn note(&mut self, byte: u8) {
        if self.last.len() == PASTE_BEGINS.len() {
            self.last.remove(0);
        }
        self.last.push(byte);
        match (&mut self.pasting, byte) {
            (Some(lines), b'\r' | b'\n') => *lines += 1,
            (Some(_), _) if self.last == PASTE_ENDS => self.pasting = None,
            (None, _) if self.last == PASTE_BEGINS => self.pasting = Some(0),
            _ => (),
        }
    }

    /// What makes the editor wait for a key again, and for nothing else.
    fn left(&self) -> Vec<u8> {
        match self.pasting {
            Some(_) => [PASTE_ENDS, ABORTS].concat(),
            None => ABORTS.to_vec(),
        }
    }
}
