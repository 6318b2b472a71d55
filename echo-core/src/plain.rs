//! The plain wire: decoding of lines to messages, and the time before each answer (PROTOCOL.md, section 2).

use crate::error::{PeerProtocol, Violation, escape};
use crate::frame::grow;
use crate::stamp::Stamp;
use chrono::DateTime;
use std::hash::{Hash, Hasher};
use std::io::BufRead;

/// Decodes messages from a stream of bytes: lines, and partial lines that quiet or the end of input cuts off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineDecoder {
    limit: usize,
    partial: Vec<u8>,
    lent: bool,
}

impl LineDecoder {
    /// Creates a decoder for messages of at most `limit` bytes (at least 1). A longer line is split into pieces.
    pub fn new(limit: usize) -> Self {
        Self { limit: limit.max(1), partial: Vec::new(), lent: false }
    }

    /// Takes the next line, or piece of `limit` bytes, from the front of `input`. `None` means that all of `input` is
    /// used.
    pub fn line<'a, 'i: 'a>(&'a mut self, input: &mut &'i [u8]) -> Option<&'a [u8]> {
        self.forget_lent();
        let room = self.limit - self.partial.len();
        let window = &input[..input.len().min(room)];
        let (taken, complete) = match line_len(window) {
            Some(length) => (length, true),
            None => (window.len(), window.len() == room),
        };
        let (message, rest) = input.split_at(taken);
        *input = rest;
        if complete && self.partial.is_empty() {
            return Some(message);
        }
        grow(&mut self.partial, message.len(), self.limit);
        self.partial.extend_from_slice(message);
        self.lent = complete;
        complete.then_some(self.partial.as_slice())
    }

    /// Returns the line at the front of `input` if all of it is there, also behind a line that the last call lent.
    #[inline]
    pub(crate) fn next_whole_line<'i>(&self, input: &'i [u8]) -> Option<&'i [u8]> {
        let window = &input[..input.len().min(self.limit)];
        let is_between = !self.is_partial();
        line_len(window).filter(|_| is_between).map(|length| &window[..length])
    }

    /// Returns whether `input` has the end of the incomplete line.
    pub(crate) fn completes_line(&self, input: &[u8]) -> bool {
        let room = self.limit - self.partial.len();
        input.len() >= room || line_len(input).is_some()
    }

    /// Returns the line that the last call lent, if it was gathered from several inputs.
    pub(crate) fn lent(&self) -> &[u8] {
        if self.lent { &self.partial } else { &[] }
    }

    /// Takes all of `input`, up to `limit` bytes, as one message, like one `recv` of the classic echo program.
    pub fn read<'a>(&mut self, input: &mut &'a [u8]) -> Option<&'a [u8]> {
        let (message, rest) = input.split_at(input.len().min(self.limit));
        *input = rest;
        (!message.is_empty()).then_some(message)
    }

    /// Takes the incomplete line as a message, because the input is quiet or has ended.
    pub fn flush(&mut self) -> Option<&[u8]> {
        self.forget_lent();
        self.lent = true;
        (!self.partial.is_empty()).then_some(self.partial.as_slice())
    }

    /// Returns whether a line has begun and is incomplete.
    pub fn is_partial(&self) -> bool {
        !self.lent && !self.partial.is_empty()
    }

    /// Returns the bytes of memory it owns: of one incomplete line, or of the message it lent last.
    pub fn owned(&self) -> usize {
        self.partial.capacity()
    }

    /// Frees the memory of the message that the last call lent.
    pub(crate) fn forget_lent(&mut self) {
        if self.lent {
            self.lent = false;
            self.partial = Vec::new();
        }
    }
}

/// Returns the length of the first line in `window` with its end.
#[inline]
fn line_len(window: &[u8]) -> Option<usize> {
    // The standard library searches faster here than `position` does. A slice has no errors.
    let length = { window }.skip_until(b'\n').unwrap_or(0);
    window[..length].ends_with(b"\n").then_some(length)
}

/// A lent message is not part of the hash: the next call drops it.
impl Hash for LineDecoder {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let partial = if self.lent { &[] } else { self.partial.as_slice() };
        (self.limit, partial).hash(state);
    }
}

/// Returns the header of an answer: `[` ctime `] `. ctime is the format of C without its newline (`%a %b %e %H:%M:%S
/// %Y`), for `east` seconds east of Greenwich.
pub fn ctime_header(stamp: Stamp, east: i32) -> String {
    // A chrono offset is limited to a day; an offset of C is not.
    let shown = stamp.seconds().saturating_add(i64::from(east));
    let time = DateTime::from_timestamp(shown, 0).unwrap_or(DateTime::UNIX_EPOCH);
    format!("[{}] ", time.format("%a %b %e %H:%M:%S %Y"))
}

/// The first bytes of a PROXY protocol header, version 2.
const PROXY_V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Checks the first messages for a client that wanted another server (clause 1.5). The first message is checked for
/// every known protocol. The next ones are checked only while they continue a PROXY header of version 2, which contains
/// line ends.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Lookout {
    /// The rest of such a header; empty if the input does not match it.
    rest: &'static [u8],
}

impl Lookout {
    pub(crate) fn new() -> Self {
        Self { rest: PROXY_V2 }
    }

    /// Creates a lookout that checks nothing.
    pub(crate) fn over() -> Self {
        Self { rest: &[] }
    }

    /// Returns whether it checks no further messages.
    #[inline]
    pub(crate) fn is_over(&self) -> bool {
        self.rest.is_empty()
    }

    /// Identifies the foreign protocol that the next message, `message`, belongs to.
    pub(crate) fn detect_foreign(&mut self, message: &[u8]) -> Option<Violation> {
        let is_first = self.rest.len() == PROXY_V2.len();
        let (next, rest) = self.rest.split_at(self.rest.len().min(message.len()));
        let fits = message.starts_with(next);
        self.rest = if fits { rest } else { &[] };
        // The two empty lines before the zero byte are also valid text.
        if fits && next.contains(&0) {
            return Some(Violation::protocol(EXPECTED, "a PROXY protocol header (version 2)").by(PeerProtocol::Proxy));
        }
        if is_first { detect_foreign(message) } else { None }
    }
}

const EXPECTED: &str = "a line of text or the preface of echo/1";

/// Says what came instead of the preface at a server without the plain wire: a known protocol, if what has arrived shows it,
/// or the bytes (clause 1.3).
pub(crate) fn no_preface(input: &[u8]) -> Violation {
    const EXPECTED: &str = "the preface of echo/1";
    if input.starts_with(PROXY_V2) {
        return Violation::protocol(EXPECTED, "a PROXY protocol header (version 2)").by(PeerProtocol::Proxy);
    }
    match detect_foreign(input) {
        Some(foreign) => Violation { expected: EXPECTED.into(), ..foreign },
        None => Violation::protocol(EXPECTED, escape(input, 40)),
    }
}

/// Identifies the protocol of a client that wanted another server, by its first message (clause 1.5).
pub fn detect_foreign(message: &[u8]) -> Option<Violation> {
    let line = message.split(|byte| *byte == b'\n').next().unwrap_or(message).trim_ascii_end();
    let (got, peer) = if matches!(message, [0x16, 0x03, 0x00..=0x04, ..]) {
        ("a TLS hello".to_owned(), PeerProtocol::Tls)
    } else if is_http_request(line) {
        (format!("an HTTP request ({})", escape(line, 60)), PeerProtocol::Http)
    } else if [&b"PROXY TCP4 "[..], b"PROXY TCP6 ", b"PROXY UNKNOWN"].iter().any(|start| line.starts_with(start)) {
        ("a PROXY protocol header (version 1)".to_owned(), PeerProtocol::Proxy)
    } else {
        return None;
    };
    Some(Violation::protocol(EXPECTED, got).by(peer))
}

/// Returns whether `line` is `METHOD target HTTP/version` (RFC 9112 section 3).
fn is_http_request(line: &[u8]) -> bool {
    let mut words = line.split(|byte| *byte == b' ');
    let method = words.next().unwrap_or_default();
    let version = words.next_back().unwrap_or_default();
    !method.is_empty()
        && method.iter().all(u8::is_ascii_uppercase)
        && version.starts_with(b"HTTP/")
        && words.next().is_some()
}
