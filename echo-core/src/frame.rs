//! Incremental and bounded decoding of frames, and encoding (PROTOCOL.md, section 4).

use crate::close::{CloseReason, Role};
use crate::error::{CloseCode, Failure, Violation};
use crate::stamp::Stamp;
use std::borrow::Cow;
use std::hash::{Hash, Hasher};

/// Length of a frame's header: `len:24 kind:8 seq:64`, big endian.
pub const HEADER: usize = 12;
/// Maximum length of a frame's body: the length field has 24 bits.
pub const MAX_BODY: usize = 0xFF_FFFF;
/// Maximum length of a payload: a REPLY carries three stamps before it.
pub const MAX_PAYLOAD: usize = MAX_BODY - REPLY_STAMPS;
/// Maximum length of a reason, in bytes of UTF-8 (RFC 6455 section 5.5.1).
pub const MAX_REASON: usize = 123;

const ECHO_STAMPS: usize = 8;
const REPLY_STAMPS: usize = 24;
/// Bytes before the payload of an ECHO.
pub(crate) const ECHO_HEAD: usize = HEADER + ECHO_STAMPS;
/// Bytes before the payload of a REPLY.
pub(crate) const REPLY_HEAD: usize = HEADER + REPLY_STAMPS;
/// Where the reason of a GOAWAY or CLOSE begins: behind the code and the flags.
const REASON_AT: usize = 3;
const FLAG_FIN_FIRST: u8 = 1;

/// One frame. Its payload is borrowed from the input or from the [`Decoder`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A request.
    Echo {
        /// The request's number: 1, 2, 3 …
        seq: u64,
        /// When the client sent it.
        t1: Stamp,
        /// The message.
        payload: &'a [u8],
    },
    /// The answer to the request of the same number.
    Reply {
        /// The request's number.
        seq: u64,
        /// The request's `t1`.
        t1: Stamp,
        /// When the server received the request.
        t2: Stamp,
        /// When the server sent this answer.
        t3: Stamp,
        /// The request's message.
        payload: &'a [u8],
    },
    /// The peer ends: a client sends no more requests (`last` is its last one), a server asks the client to finish.
    GoAway {
        /// Client: the number of its last request. Server: 0.
        last: u64,
        /// Why the peer ends.
        reason: CloseReason,
    },
    /// A CLOSE, the last frame of a side.
    Close {
        /// Server: the last request accepted. Client: the last answer received.
        last: u64,
        /// Why the peer ends.
        reason: CloseReason,
        /// The side that sends FIN first: the server if its flag is set.
        first_fin: Role,
    },
    /// The next answer is none: the request failed (clause 4.10).
    Failed {
        /// The request's number.
        seq: u64,
        /// Why.
        failure: Failure,
    },
    /// A frame of an unknown kind below 0x80. Its body was skipped.
    Unknown {
        /// The kind.
        kind: u8,
    },
}

/// The kind byte of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Echo,
    Reply,
    GoAway,
    Close,
    Failed,
    Unknown(u8),
}

impl Kind {
    /// Decodes the kind byte. Unknown kinds from 0x80 are critical: the stream cannot go on (clause 4.7).
    fn of(byte: u8) -> Result<Self, Violation> {
        match byte {
            1 => Ok(Self::Echo),
            2 => Ok(Self::Reply),
            3 => Ok(Self::GoAway),
            4 => Ok(Self::Close),
            5 => Ok(Self::Failed),
            0 | 6..=0x7F => Ok(Self::Unknown(byte)),
            0x80..=0xFF => {
                Err(Violation::protocol("a kind of frame below 0x80", format!("the unknown kind {byte:#04x}")))
            }
        }
    }

    fn name(self) -> Cow<'static, str> {
        match self {
            Self::Echo => "ECHO".into(),
            Self::Reply => "REPLY".into(),
            Self::GoAway => "GOAWAY".into(),
            Self::Close => "CLOSE".into(),
            Self::Failed => "FAILED".into(),
            Self::Unknown(kind) => format!("a frame of kind {kind:#04x}").into(),
        }
    }

    /// Returns the minimum and maximum body length of this kind, for payloads of at most `limit` bytes.
    fn body(self, limit: usize) -> (usize, usize) {
        match self {
            Self::Echo => (ECHO_STAMPS, ECHO_STAMPS + limit),
            Self::Reply => (REPLY_STAMPS, REPLY_STAMPS + limit),
            Self::GoAway | Self::Close | Self::Failed => (REASON_AT, REASON_AT + MAX_REASON),
            Self::Unknown(_) => (0, REPLY_STAMPS + limit),
        }
    }
}

/// Decodes frames from a stream of bytes that arrives in pieces of any size.
///
/// It owns at most one incomplete frame, and nothing between frames. A length over the limit is refused as soon as the
/// header is complete, before memory for the body is allocated. Memory grows only with the bytes received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoder {
    limit: usize,
    partial: Vec<u8>,
    /// The last call lent the whole frame in `partial`.
    lent: bool,
    skip: Option<Skip>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Skip {
    kind: u8,
    left: usize,
}

impl Decoder {
    /// Creates a decoder for payloads of at most `limit` bytes (capped at [`MAX_PAYLOAD`]).
    pub fn new(limit: usize) -> Self {
        Self { limit: limit.min(MAX_PAYLOAD), partial: Vec::new(), lent: false, skip: None }
    }

    /// Decodes the next frame from the front of `input` and advances `input` past the bytes used. `None` means that all
    /// of `input` is used and more is needed.
    ///
    /// # Errors
    /// Returns a [`Violation`]: what was expected and what was received. The stream cannot be decoded further.
    pub fn decode<'a, 'i: 'a>(&'a mut self, input: &mut &'i [u8]) -> Result<Option<Frame<'a>>, Violation> {
        self.forget_lent();
        if self.skip.is_some() {
            return Ok(self.skip_some(input));
        }
        if self.partial.is_empty()
            && let Some(header) = Header::of(input, self.limit)?
        {
            if let Kind::Unknown(kind) = header.kind {
                *input = &input[HEADER..];
                self.skip = Some(Skip { kind, left: header.body });
                return Ok(self.skip_some(input));
            }
            if let Some((frame, rest)) = input.split_at_checked(HEADER + header.body) {
                *input = rest;
                return header.frame(&frame[HEADER..]).map(Some);
            }
        }
        self.gather(input)
    }

    /// Returns the ECHO at the front of `input`, if that is what comes next and all of it is there: its number, stamp and
    /// payload. [`ECHO_HEAD`] bytes are before the payload. Most of a server's input is that, so it takes no longer way.
    #[inline]
    pub(crate) fn whole_echo<'i>(&self, input: &'i [u8]) -> Option<(u64, Stamp, &'i [u8])> {
        let (head, payload) = self.whole::<ECHO_HEAD>(input, 1)?;
        Some((seq(head), stamp(head, HEADER), payload))
    }

    /// Returns the ECHO at the front of `input` as [`whole_echo`](Self::whole_echo) does, also behind a frame that the
    /// last call lent.
    #[inline]
    pub(crate) fn next_whole_echo<'i>(&self, input: &'i [u8]) -> Option<(u64, Stamp, &'i [u8])> {
        let (head, payload) = self.next_whole::<ECHO_HEAD>(input, 1)?;
        Some((seq(head), stamp(head, HEADER), payload))
    }

    /// Returns the REPLY at the front of `input`, as [`whole_echo`](Self::whole_echo) does an ECHO: its number, t1 to t3
    /// and payload. [`REPLY_HEAD`] bytes are before the payload.
    #[inline]
    pub(crate) fn whole_reply<'i>(&self, input: &'i [u8]) -> Option<(u64, [Stamp; 3], &'i [u8])> {
        let (head, payload) = self.whole::<REPLY_HEAD>(input, 2)?;
        let [t1, t2, t3] = [0, 8, 16].map(|at| stamp(head, HEADER + at));
        Some((seq(head), [t1, t2, t3], payload))
    }

    /// Returns the head and the payload of a whole frame of this kind.
    #[inline]
    fn whole<'i, const HEAD: usize>(&self, input: &'i [u8], kind: u8) -> Option<(&'i [u8; HEAD], &'i [u8])> {
        if !self.partial.is_empty() { None } else { self.next_whole(input, kind) }
    }

    #[inline]
    fn next_whole<'i, const HEAD: usize>(&self, input: &'i [u8], kind: u8) -> Option<(&'i [u8; HEAD], &'i [u8])> {
        if self.is_partial() {
            return None;
        }
        let head = input.first_chunk::<HEAD>()?;
        let length = (u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize).checked_sub(HEAD - HEADER)?;
        let is_it = head[3] == kind && length <= self.limit;
        let payload = input.get(HEAD..HEAD + length).filter(|_| is_it)?;
        Some((head, payload))
    }

    /// Returns whether the incomplete frame is ECHO `seq`, within the limit, and `input` has its end.
    pub(crate) fn completes_echo(&self, seq: u64, input: &[u8]) -> bool {
        match Header::of(&self.partial, self.limit) {
            Ok(Some(Header { kind: Kind::Echo, body, seq: got })) => {
                got == seq && HEADER + body - self.partial.len() <= input.len()
            }
            Ok(_) | Err(_) => false,
        }
    }

    /// Returns whether a frame that is no ECHO begins at the front of `input`.
    pub(crate) fn is_other(&self, input: &[u8]) -> bool {
        input.get(3).is_some_and(|kind| Kind::of(*kind) != Ok(Kind::Echo))
    }

    /// Returns the frame that the last call lent, if it was gathered from several inputs.
    pub(crate) fn lent(&self) -> &[u8] {
        if self.lent { &self.partial } else { &[] }
    }

    /// Returns whether a frame has begun and is incomplete.
    pub fn is_partial(&self) -> bool {
        self.skip.is_some() || (!self.lent && !self.partial.is_empty())
    }

    /// Returns the bytes of memory it owns: of one incomplete frame, or of the frame it lent last.
    pub fn owned(&self) -> usize {
        self.partial.capacity()
    }

    /// Frees the memory of the frame that the last call lent.
    pub(crate) fn forget_lent(&mut self) {
        if self.lent {
            self.lent = false;
            self.partial = Vec::new();
        }
    }

    fn gather(&mut self, input: &mut &[u8]) -> Result<Option<Frame<'_>>, Violation> {
        self.take(input, HEADER);
        let Some(header) = Header::of(&self.partial, self.limit)? else { return Ok(None) };
        if let Kind::Unknown(kind) = header.kind {
            self.partial = Vec::new();
            self.skip = Some(Skip { kind, left: header.body });
            return Ok(self.skip_some(input));
        }
        self.take(input, HEADER + header.body);
        if self.partial.len() < HEADER + header.body {
            return Ok(None);
        }
        self.lent = true;
        header.frame(&self.partial[HEADER..]).map(Some)
    }

    /// Moves bytes from `input` to `partial` until `partial` holds `want` bytes.
    fn take(&mut self, input: &mut &[u8], want: usize) {
        let missing = want.saturating_sub(self.partial.len()).min(input.len());
        let (taken, rest) = input.split_at(missing);
        grow(&mut self.partial, taken.len(), want);
        self.partial.extend_from_slice(taken);
        *input = rest;
    }

    fn skip_some(&mut self, input: &mut &[u8]) -> Option<Frame<'static>> {
        let skip = self.skip.as_mut()?;
        let step = skip.left.min(input.len());
        *input = &input[step..];
        skip.left -= step;
        if skip.left > 0 {
            return None;
        }
        let kind = skip.kind;
        self.skip = None;
        Some(Frame::Unknown { kind })
    }
}

/// A lent frame is not part of the hash: the next call drops it.
impl Hash for Decoder {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let partial = if self.lent { &[] } else { self.partial.as_slice() };
        (self.limit, partial, self.skip).hash(state);
    }
}

/// Makes room for `more` bytes in a buffer that will hold at most `most`. The buffer grows with the bytes received, and
/// wastes nothing at the end.
pub(crate) fn grow(buffer: &mut Vec<u8>, more: usize, most: usize) {
    let needed = buffer.len() + more;
    if needed > buffer.capacity() {
        let capacity = needed.max(2 * buffer.capacity()).min(most.max(needed));
        buffer.reserve_exact(capacity - buffer.len());
    }
}

struct Header {
    kind: Kind,
    body: usize,
    seq: u64,
}

impl Header {
    /// Decodes and checks a header. Returns `None` while it is incomplete.
    fn of(bytes: &[u8], limit: usize) -> Result<Option<Self>, Violation> {
        let Some(header) = bytes.first_chunk::<HEADER>() else { return Ok(None) };
        let [a, b, c, kind, seq @ ..] = *header;
        let kind = Kind::of(kind)?;
        let body = u32::from_be_bytes([0, a, b, c]) as usize;
        let (least, most) = kind.body(limit);
        if body < least {
            let expected = format!("a body of at least {least} bytes in {}", kind.name());
            return Err(Violation::protocol(expected, format!("{body}")));
        }
        if body > most {
            let expected = format!("a body of at most {most} bytes in {}", kind.name());
            return Err(match kind {
                // As its user counts: without the stamps.
                Kind::Echo | Kind::Reply => Violation::too_big(
                    format!("a message of at most {} bytes in {}", most - least, kind.name()),
                    format!("{}", body - least),
                ),
                Kind::Unknown(_) => Violation::too_big(expected, format!("{body}")),
                Kind::GoAway | Kind::Close | Kind::Failed => Violation::protocol(expected, format!("{body}")),
            });
        }
        Ok(Some(Self { kind, body, seq: u64::from_be_bytes(seq) }))
    }

    fn frame<'a>(&self, body: &'a [u8]) -> Result<Frame<'a>, Violation> {
        let seq = self.seq;
        Ok(match self.kind {
            Kind::Echo => Frame::Echo { seq, t1: stamp(body, 0), payload: &body[ECHO_STAMPS..] },
            Kind::Reply => Frame::Reply {
                seq,
                t1: stamp(body, 0),
                t2: stamp(body, 8),
                t3: stamp(body, 16),
                payload: &body[REPLY_STAMPS..],
            },
            Kind::GoAway => Frame::GoAway { last: seq, reason: close_reason("GOAWAY", body)? },
            Kind::Close => {
                let first_fin = if body[2] & FLAG_FIN_FIRST == 0 { Role::Client } else { Role::Server };
                Frame::Close { last: seq, reason: close_reason("CLOSE", body)?, first_fin }
            }
            Kind::Failed => {
                let CloseReason { code, text } = close_reason("FAILED", body)?;
                Frame::Failed { seq, failure: Failure { code, text } }
            }
            Kind::Unknown(kind) => Frame::Unknown { kind },
        })
    }
}

/// Reads the number in a header.
#[inline]
fn seq(head: &[u8]) -> u64 {
    let bytes = head.get(4..HEADER).and_then(|bytes| bytes.first_chunk()).copied().unwrap_or_default();
    u64::from_be_bytes(bytes)
}

/// Reads the stamp at `at`. The header was checked, so the body is long enough.
#[inline]
fn stamp(body: &[u8], at: usize) -> Stamp {
    let bytes = body.get(at..at + 8).and_then(|b| b.first_chunk()).copied().unwrap_or_default();
    Stamp(i64::from_be_bytes(bytes))
}

fn close_reason(name: &str, body: &[u8]) -> Result<CloseReason, Violation> {
    let code = CloseCode(u16::from_be_bytes([body[0], body[1]]));
    match std::str::from_utf8(&body[REASON_AT..]) {
        Ok(reason) => Ok(CloseReason::new(code, reason)),
        Err(_) => {
            let got = format!("the bytes {}", crate::error::escape(&body[REASON_AT..], 40));
            Err(Violation::protocol(format!("a reason in UTF-8 in {name}"), got))
        }
    }
}

#[inline]
fn header(body: usize, kind: u8, seq: u64) -> [u8; HEADER] {
    debug_assert!(body <= MAX_BODY, "the caller limits payloads to MAX_PAYLOAD");
    let [_, a, b, c] = (body as u32).to_be_bytes();
    let [d, e, f, g, h, i, j, k] = seq.to_be_bytes();
    [a, b, c, kind, d, e, f, g, h, i, j, k]
}

/// Returns an ECHO's header and stamp, for a payload of `len` bytes.
#[inline]
pub(crate) fn echo_head(seq: u64, t1: Stamp, len: usize) -> [u8; ECHO_HEAD] {
    let mut head = [0; ECHO_HEAD];
    head[..HEADER].copy_from_slice(&header(ECHO_STAMPS + len, 1, seq));
    head[HEADER..].copy_from_slice(&t1.0.to_be_bytes());
    head
}

/// Returns a REPLY's header and stamps, for a payload of `len` bytes.
#[inline]
pub(crate) fn reply_head(seq: u64, [t1, t2, t3]: [Stamp; 3], len: usize) -> [u8; REPLY_HEAD] {
    let mut head = [0; REPLY_HEAD];
    head[..HEADER].copy_from_slice(&header(REPLY_STAMPS + len, 2, seq));
    for (place, stamp) in head[HEADER..].chunks_exact_mut(8).zip([t1, t2, t3]) {
        place.copy_from_slice(&stamp.0.to_be_bytes());
    }
    head
}

/// Returns the length of a REPLY's payload, from its head.
#[inline]
pub(crate) fn payload_len(head: &[u8; REPLY_HEAD]) -> usize {
    u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize - REPLY_STAMPS
}

/// Returns the length of an ECHO's payload, from its head.
#[inline]
pub(crate) fn payload_len_of_echo(head: &[u8; ECHO_HEAD]) -> usize {
    u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize - ECHO_STAMPS
}

/// Sets the stamp in an ECHO's head.
#[inline]
pub(crate) fn set_t1(head: &mut [u8; ECHO_HEAD], t1: Stamp) {
    head[HEADER..].copy_from_slice(&t1.0.to_be_bytes());
}

/// Sets the last stamp in a REPLY's head.
#[inline]
pub(crate) fn set_t3(head: &mut [u8; REPLY_HEAD], t3: Stamp) {
    head[REPLY_HEAD - 8..].copy_from_slice(&t3.0.to_be_bytes());
}

/// Appends an ECHO's header and stamp. The caller appends `len` bytes of payload (at most [`MAX_PAYLOAD`]).
pub fn echo_header(out: &mut Vec<u8>, seq: u64, t1: Stamp, len: usize) {
    out.extend_from_slice(&echo_head(seq, t1, len));
}

/// Appends a REPLY's header and stamps. The caller appends `len` bytes of payload (at most [`MAX_PAYLOAD`]).
pub fn reply_header(out: &mut Vec<u8>, seq: u64, stamps: [Stamp; 3], len: usize) {
    out.extend_from_slice(&reply_head(seq, stamps, len));
}

/// Appends a GOAWAY. A reason over [`MAX_REASON`] bytes is cut between characters.
pub fn goaway(out: &mut Vec<u8>, last: u64, close_reason: &CloseReason) {
    put_reason(out, 3, last, (close_reason.code, &close_reason.text), 0);
}

/// Appends a CLOSE. Only a server that sends FIN first sets the flag. A reason over [`MAX_REASON`] bytes is cut between
/// characters.
pub fn close(out: &mut Vec<u8>, last: u64, close_reason: &CloseReason, fin_first: bool) {
    let flags = if fin_first { FLAG_FIN_FIRST } else { 0 };
    put_reason(out, 4, last, (close_reason.code, &close_reason.text), flags);
}

/// Appends a FAILED. A reason over [`MAX_REASON`] bytes is cut between characters.
pub fn failed(out: &mut Vec<u8>, seq: u64, failure: &Failure) {
    put_reason(out, 5, seq, (failure.code, &failure.text), 0);
}

fn put_reason(out: &mut Vec<u8>, kind: u8, number: u64, (code, text): (CloseCode, &str), flags: u8) {
    let reason = &text[..text.floor_char_boundary(MAX_REASON)];
    out.extend_from_slice(&header(REASON_AT + reason.len(), kind, number));
    out.extend_from_slice(&code.0.to_be_bytes());
    out.push(flags);
    out.extend_from_slice(reason.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Memory grows with the bytes received, not with the length in the header, and is freed after each frame.
    #[test]
    fn the_decoder_owns_what_came() {
        let mut decoder = Decoder::new(MAX_PAYLOAD);
        let mut claim = Vec::new();
        echo_header(&mut claim, 1, Stamp(0), MAX_PAYLOAD);
        assert_eq!(decoder.decode(&mut claim.as_slice()), Ok(None));
        assert!(decoder.partial.capacity() < 1024);
        let mut echo = Vec::new();
        echo_header(&mut echo, 1, Stamp(0), 0);
        let mut whole = Decoder::new(10);
        assert!(matches!(whole.decode(&mut echo.as_slice()), Ok(Some(_))));
        assert_eq!(whole.partial.capacity(), 0, "a whole frame is borrowed");
        let (one, two) = echo.split_at(5);
        assert_eq!(whole.decode(&mut &one[..]), Ok(None));
        assert!(matches!(whole.decode(&mut &two[..]), Ok(Some(_))));
        assert_eq!(whole.decode(&mut [].as_slice()), Ok(None));
        assert_eq!(whole.partial.capacity(), 0);
        echo_header(&mut claim, 1, Stamp(0), 0);
        claim[3] = 9;
        let mut skipping = Decoder::new(MAX_PAYLOAD);
        assert_eq!(skipping.decode(&mut claim.as_slice()), Ok(None));
        assert_eq!(skipping.partial.capacity(), 0, "a skipped body is not kept");
    }
}
