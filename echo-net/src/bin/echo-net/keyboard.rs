//! A pseudoterminal that the editor reads in place of the terminal. A thread forwards what is typed. So the editor only
//! gets whole characters, and can be stopped wherever it waits for a key.

use crate::raw::Mode;
use crate::standard::{StandardInput, Stop, wait_to_write};
use crate::utf8::complete;
use rustix::fs::{OFlags, fcntl_setfl, open};
use rustix::io::Errno;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use std::collections::VecDeque;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::sync::mpsc;
use std::sync::{Arc, OnceLock};
use std::thread::Builder;
use std::time::Duration;

const PASTE_BEGINS: &[u8] = b"\x1b[200~";
const PASTE_ENDS: &[u8] = b"\x1b[201~";
/// Aborts what a key began, such as a search. The first byte may end an escape sequence instead.
const ABORTS: &[u8] = b"\x07\x07";
/// The key (Ctrl-^) that the editor reports: it has read everything before.
pub(crate) const LAST_KEY: char = '^';
const LAST: &[u8] = b"\x1e";
const ENTER: &[u8] = b"\r";
const INTERRUPT: u8 = 0x03;
const ESCAPE: u8 = 0x1b;
/// Maximum bytes that are read before the editor takes them. It is this far behind only if the terminal takes nothing.
const MOST_AHEAD: usize = 64 * 1024 * 1024;
/// Maximum number of pasted lines that the editor gets at once. It cannot show more than 65,535.
const MOST_PASTED: usize = 1000;

/// Replaces the terminal as standard input, and never restores it: an editor that ends late would change the mode of
/// the real terminal.
pub(crate) struct Keyboard {
    stop: Option<Stop>,
    /// Receives the pseudoterminal's other end when forwarding stops.
    handed_on: mpsc::Receiver<OwnedFd>,
    end: Arc<OnceLock<End>>,
}

/// Why the editor's input ended although no end was typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The conversation is over.
    Closed,
    /// The terminal is gone.
    Gone,
}

impl Keyboard {
    /// Replaces standard input, which is the terminal. `insists` is called at the second Ctrl-C, even if the editor is
    /// stuck.
    ///
    /// # Errors
    /// No pseudoterminal, no file descriptor or no thread is available.
    pub(crate) fn stand_in(mode: &Mode, insists: impl Fn() + Send + 'static) -> io::Result<Self> {
        let (keys, editor) = pseudoterminal()?;
        let (input, stop) = StandardInput::of(mode.terminal().try_clone()?)?;
        let (sender, handed_on) = mpsc::channel();
        let end = Arc::new(OnceLock::new());
        let keyboard = Self { stop: Some(stop), handed_on, end: end.clone() };
        rustix::stdio::dup2_stdin(&editor)?;
        Builder::new().spawn(move || {
            if hand_on(input, &keys, &insists) == End::Gone {
                let _ = end.set(End::Gone);
            } else {
                // If the receiver is gone, the editor reads the end of its input.
                let _ = sender.send(keys);
            }
        })?;
        Ok(keyboard)
    }

    /// Returns why the input ended. It is set before the editor reads an end that was not typed.
    pub(crate) fn end(&self) -> Arc<OnceLock<End>> {
        self.end.clone()
    }

    /// Forwards what was typed until now, makes the editor abort what it waits for, and sends [`LAST_KEY`]. The
    /// editor's input ends when the result is dropped. Returns `None` if that takes longer than `within`, or if the
    /// terminal is gone.
    pub(crate) fn finish(&mut self, within: Duration) -> Option<OwnedFd> {
        let _ = self.end.set(End::Closed);
        self.stop = None;
        self.handed_on.recv_timeout(within).ok()
    }
}

/// Opens a pseudoterminal. Returns the end that keys are written to, and the end that the editor reads.
fn pseudoterminal() -> io::Result<(OwnedFd, OwnedFd)> {
    let keys = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&keys)?;
    unlockpt(&keys)?;
    let name = ptsname(&keys, Vec::new())?;
    let editor = open(name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, rustix::fs::Mode::empty())?;
    // The editor sets raw mode too, but between two prompts the mode must stay raw.
    let mut raw = tcgetattr(&editor)?;
    raw.make_raw();
    tcsetattr(&editor, OptionalActions::Now, &raw)?;
    fcntl_setfl(&keys, OFlags::NONBLOCK)?;
    Ok((keys, editor))
}

/// Forwards what is typed until the input is stopped or the terminal is gone. It reads on while the editor takes
/// nothing, so that it sees Ctrl-C.
fn hand_on(mut input: StandardInput<OwnedFd>, editor: &OwnedFd, insists: &impl Fn()) -> End {
    let (mut typed, mut keys) = (Typed::default(), VecDeque::new());
    let mut chunk = [0; 1024];
    loop {
        let Ok(ready) = input.wait((!keys.is_empty()).then_some(editor)) else { return End::Gone };
        if ready.output {
            match rustix::io::write(editor, keys.as_slices().0) {
                Ok(count) => drop(keys.drain(..count)),
                Err(Errno::AGAIN | Errno::INTR) => (),
                Err(_) => return End::Closed,
            }
        }
        if keys.len() >= MOST_AHEAD && !wait_to_write(editor, &input) {
            return End::Closed;
        }
        if ready.input && keys.len() < MOST_AHEAD {
            match input.read(&mut chunk) {
                Ok(0) | Err(_) => return End::Gone,
                Ok(count) => keys.extend(typed.keys(&chunk[..count])),
            }
            if typed.interrupts > 1 {
                insists();
            }
        } else if ready.stopped {
            keys.extend(typed.finish());
            give(editor, keys.make_contiguous(), &input);
            return End::Closed;
        }
    }
}

/// Writes the last keys. Once the input is stopped, it gives up if the editor does not take them soon.
fn give(editor: &OwnedFd, mut keys: &[u8], input: &StandardInput<OwnedFd>) {
    while !keys.is_empty() {
        match rustix::io::write(editor, keys) {
            Ok(count) => keys = &keys[count..],
            Err(Errno::INTR) => (),
            Err(Errno::AGAIN) if wait_to_write(editor, input) => (),
            Err(_) => return,
        }
    }
}

/// State of the typed bytes that affects the editor.
#[derive(Default)]
struct Typed {
    /// An incomplete character.
    begun: Vec<u8>,
    /// Bytes of a paste's start or end sequence that were matched so far.
    matched: usize,
    /// Number of lines of the current paste.
    pasting: Option<usize>,
    begins_a_line: bool,
    /// How often Ctrl-C was typed.
    interrupts: usize,
}

impl Typed {
    /// Returns what the editor gets: whole characters, and a paste of many lines in parts.
    fn keys(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.begun.extend_from_slice(bytes);
        let rest = self.begun.split_off(complete(&self.begun));
        let text = std::mem::replace(&mut self.begun, rest);
        let mut keys = Vec::with_capacity(text.len());
        for byte in String::from_utf8_lossy(&text).bytes() {
            match self.pasting {
                Some(_) => self.paste(byte, &mut keys),
                None => self.key(byte, &mut keys),
            }
        }
        keys
    }

    fn key(&mut self, byte: u8, keys: &mut Vec<u8>) {
        keys.push(byte);
        self.interrupts += usize::from(byte == INTERRUPT);
        self.matched = if byte == PASTE_BEGINS[self.matched] { self.matched + 1 } else { usize::from(byte == ESCAPE) };
        if self.matched == PASTE_BEGINS.len() {
            (self.matched, self.pasting, self.begins_a_line) = (0, Some(0), false);
        }
    }

    /// Handles a byte of a paste, and drops escapes that are not its end. Otherwise the editor would wait for the rest
    /// of a sequence.
    fn paste(&mut self, byte: u8, keys: &mut Vec<u8>) {
        if byte == PASTE_ENDS[self.matched] {
            self.matched += 1;
            if self.matched == PASTE_ENDS.len() {
                keys.extend_from_slice(PASTE_ENDS);
                (self.matched, self.pasting) = (0, None);
            }
            return;
        }
        let begun = std::mem::take(&mut self.matched);
        for byte in PASTE_ENDS[..begun].iter().copied().chain([byte]) {
            match byte {
                ESCAPE => self.matched = 1,
                byte => {
                    self.matched = 0;
                    self.paste_text(byte, keys);
                }
            }
        }
    }

    fn paste_text(&mut self, byte: u8, keys: &mut Vec<u8>) {
        let ends_a_line = matches!(byte, b'\r' | b'\n');
        let mut lines = self.pasting.unwrap_or(0);
        if self.begins_a_line && !ends_a_line && lines >= MOST_PASTED {
            keys.extend([PASTE_ENDS, ENTER, PASTE_BEGINS].concat());
            lines = 0;
        }
        keys.push(byte);
        self.pasting = Some(lines + usize::from(ends_a_line));
        self.begins_a_line = ends_a_line;
    }

    /// Returns the bytes that make the editor wait for a key again. An incomplete character becomes U+FFFD.
    fn finish(&mut self) -> Vec<u8> {
        let begun = std::mem::take(&mut self.begun);
        let begun = if begun.is_empty() { Vec::new() } else { "\u{fffd}".as_bytes().to_vec() };
        let ends = if self.pasting.is_some() { PASTE_ENDS } else { b"" };
        [&begun, ends, ABORTS, LAST].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::Typed;

    fn keys(typed: &[u8], piece: usize) -> Vec<u8> {
        let mut state = Typed::default();
        let mut keys: Vec<u8> = typed.chunks(piece).flat_map(|piece| state.keys(piece)).collect();
        keys.extend(state.finish());
        keys
    }

    #[test]
    fn the_editor_gets_whole_characters_and_whole_pastes() {
        const END: &[u8] = b"\x07\x07\x1e";
        for (typed, given) in [
            (&b"abc\r"[..], &b"abc\r"[..]),
            ("gr\u{fc}n".as_bytes(), "gr\u{fc}n".as_bytes()),
            (b"a\xff\xc3", "a\u{fffd}\u{fffd}".as_bytes()),
            (b"\x1b[A\x1b[200~a\nb\x1b[201~\r", b"\x1b[A\x1b[200~a\nb\x1b[201~\r"),
            // The paste has not ended, so it is ended here, also within its end sequence.
            (b"\x1b[200~a", b"\x1b[200~a\x1b[201~"),
            (b"\x1b[200~a\x1b[20", b"\x1b[200~a\x1b[201~"),
            // Other escape sequences become text without their escape.
            (b"\x1b[200~a\x1b[0mb\x1b\x1b[201~c", b"\x1b[200~a[0mb\x1b[201~c"),
        ] {
            for piece in [1, 2, typed.len()] {
                let given = String::from_utf8_lossy(&[given, END].concat()).into_owned();
                assert_eq!(String::from_utf8_lossy(&keys(typed, piece)), given, "{piece}");
            }
        }
    }

    #[test]
    fn a_paste_of_many_lines_comes_in_parts() {
        let text: String = (0..2500).map(|line| format!("{line}\r\n")).collect();
        let given = keys(format!("\x1b[200~{text}\x1b[201~").as_bytes(), 7);
        let given = String::from_utf8_lossy(&given).into_owned();
        assert_eq!(given.matches("\x1b[200~").count(), given.matches("\x1b[201~").count());
        assert!(given.matches("\x1b[201~\r\x1b[200~").count() > 2, "it is cut between lines");
        assert_eq!(given.replace("\x1b[201~\r\x1b[200~", "").matches('\n').count(), 2500);
    }
}
