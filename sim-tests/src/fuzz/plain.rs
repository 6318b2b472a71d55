//! The plain wire: any bytes as lines, and every byte comes back.

use super::input::Input;
use super::observed_config;
use super::rules;
use crate::in_memory::{EPOCH, Seen, Solo};
use echo_core::plain::{ctime_header, detect_foreign};
use echo_core::{CloseReason, Connection, End, Stamp};
use echo_core::{PeerProtocol, Violation};
use std::time::Duration;

/// Bytes with a special meaning: ends of lines, telnet, TLS, timestamps, prefaces, other protocols.
const WORDS: [&[u8]; 20] = [
    b"\n",
    b"\r\n",
    b"\r",
    b"\0",
    b"\xff\xfb\x01",
    b"\xff\xff",
    b"\xc3",
    b"\xf0\x9f\x98\x80",
    b"[Mon Nov 23 08:16:00 2026] ",
    b"[Mon Nov 23",
    b"echo: normal\n",
    b"\x89ECHO\r\n\x01",
    b"\x89echo\r\n\x01",
    b"\x89",
    b"\x16\x03\x01",
    b"GET / HTTP/1.1\r\n",
    b"hello",
    b" ",
    b"quit\n",
    b"\x04\x1b[2J",
];

/// Checks that every message of a plain client comes back after a timestamp, in order and unchanged, however the bytes
/// are split. A first message of another protocol is refused with a line of text.
pub(super) fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let limit = input.pick(&[1 << 20, 1, 10, 100]);
    let quiet = Duration::from_millis(input.pick(&[20, 20, 20, 0]));
    let config = observed_config(|config| (config.limit, config.quiet) = (limit, quiet));
    let mut server = Solo::new(Connection::server(config, EPOCH));
    let mut messages =
        Messages { limit, splits: !quiet.is_zero(), line: Vec::new(), all: Vec::new(), quiet: Vec::new() };
    for _ in 0..100 {
        if input.is_empty() || server.outcome.is_some() || server.connection.is_plain() == Some(false) {
            break;
        }
        match input.below(4) {
            0 if messages.splits => {
                server.advance(quiet);
                messages.fall_quiet();
            }
            1 => {
                let count = input.below(48);
                feed(&mut server, &mut messages, input.take(count));
            }
            _ => feed(&mut server, &mut messages, input.pick(&WORDS)),
        }
        rules::deadlines(&server);
        rules::memory(&server.connection, &config);
    }
    if server.connection.is_plain() == Some(false) {
        return;
    }
    if server.outcome.is_none() {
        server.feed_fin();
    }
    messages.end();
    server.wish(|server, now| server.leave(now, CloseReason::normal()));
    let outcome = server.wait_for_end();
    answered(&server, &messages, &outcome.end);
}

fn feed(server: &mut Solo, messages: &mut Messages, bytes: &[u8]) {
    server.feed(bytes);
    // The first byte of the first message selects the wire, and the bytes after a refusal are discarded.
    if server.connection.is_plain() == Some(true) {
        messages.take(bytes);
    }
}

/// A second implementation of PROTOCOL.md, section 2, which splits the input into messages.
struct Messages {
    limit: usize,
    /// Whether messages are lines, and not reads.
    splits: bool,
    line: Vec<u8>,
    all: Vec<Vec<u8>>,
    /// Messages that ended because no more input came. They are answered without an event.
    quiet: Vec<usize>,
}

impl Messages {
    fn take(&mut self, bytes: &[u8]) {
        if !self.splits {
            self.all.extend(bytes.chunks(self.limit).map(<[u8]>::to_vec));
            return;
        }
        for byte in bytes {
            self.line.push(*byte);
            if *byte == b'\n' || self.line.len() == self.limit {
                self.end();
            }
        }
    }

    fn fall_quiet(&mut self) {
        if !self.line.is_empty() {
            self.quiet.push(self.all.len());
        }
        self.end();
    }

    fn end(&mut self) {
        if !self.line.is_empty() {
            self.all.push(std::mem::take(&mut self.line));
        }
    }
}

/// Returns the first message that belongs to another protocol, and its violation (clause 1.5).
fn refused(messages: &[Vec<u8>]) -> Option<(usize, Violation)> {
    if let Some(violation) = messages.first().and_then(|first| detect_foreign(first)) {
        return Some((0, violation));
    }
    // A PROXY protocol header of version 2 begins with two empty lines. Its fifth byte occurs in no text.
    const PROXY: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
    let mut begun = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        begun.extend_from_slice(message);
        let known = begun.len().min(PROXY.len());
        if begun[..known] != PROXY[..known] {
            return None;
        }
        if known > 4 {
            let (expected, got) = ("a line of text or the preface of echo/1", "a PROXY protocol header (version 2)");
            let mut violation = Violation::protocol(expected, got);
            violation.peer = Some(PeerProtocol::Proxy);
            return Some((index, violation));
        }
    }
    None
}

fn answered(server: &Solo, messages: &Messages, end: &End) {
    let refused = refused(&messages.all);
    let served = refused.as_ref().map_or(&messages.all[..], |(index, _)| &messages.all[..*index]);
    let mut rest = server.sent.as_slice();
    for (index, message) in served.iter().enumerate() {
        let (time, answer) = rest.split_at_checked(27).unwrap_or_else(|| panic!("message {index} has no answer"));
        let early = ctime_header(EPOCH, 0);
        let late = ctime_header(Stamp(EPOCH.0 + i64::try_from(server.now.as_nanos()).unwrap_or(i64::MAX)), 0);
        assert!(early.as_bytes() <= time && time <= late.as_bytes() || early[..11] != late[..11], "{time:?}");
        let (answer, behind) = answer.split_at_checked(message.len()).unwrap_or((answer, &[]));
        assert_eq!(answer, message.as_slice(), "message {index} came back otherwise");
        rest = behind;
    }
    assert_eq!(server.connection.traffic().messages, served.len() as u64);
    let Some((_, violation)) = refused else {
        return assert!(rest.is_empty(), "something follows the answers: {rest:?}");
    };
    assert_eq!(*end, End::Violation(violation), "the message is another protocol's");
    let line = std::str::from_utf8(rest).expect("a refusal is text");
    assert!(line.starts_with("echo: ") && line.ends_with('\n') && line.matches('\n').count() == 1, "{line:?}");
    assert!(!line.trim_end().contains(char::is_control), "{line:?}");
    let quiet = messages.quiet.iter().filter(|index| **index < served.len()).count();
    assert_eq!(server.seen.iter().filter(|seen| matches!(seen, Seen::Request(..))).count(), served.len() - quiet);
}
