//! Any bytes, in any pieces, through each decoder.

use super::input::{Cuts, Input};
use echo_core::frame::{self, Decoder, Frame};
use echo_core::plain::LineDecoder;
use echo_core::preface::{self, PrefaceDecoder};
use echo_core::{Role, Violation};

/// Payload limits: the smallest, some that an input can reach, and one that no input reaches.
const LIMITS: [usize; 5] = [1, 7, 40, 300, 70_000];

/// The size of a frame's header and of the timestamps of a REPLY.
const OVERHEAD: usize = frame::HEADER + 24;

/// The result of decoding a stream of bytes.
#[derive(Debug, PartialEq)]
struct Decoded {
    /// All frames or messages.
    units: Vec<Unit>,
    /// The violation that stopped the decoder.
    violation: Option<Violation>,
    /// Whether the last unit is incomplete.
    is_partial: bool,
}

#[derive(Debug, PartialEq)]
enum Unit {
    /// A frame, encoded again.
    Frame(Vec<u8>),
    /// The kind of a frame that was skipped.
    Unknown(u8),
    Message(Vec<u8>),
    Version(u8),
}

/// Checks the decoders: bytes in pieces give the same result as in one piece, decoded units encode to the bytes they
/// came from, and a decoder owns no more memory than one message and the received bytes need.
pub(super) fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let which = input.below(4);
    let limit = input.pick(&LIMITS);
    let cuts = input.cuts();
    let bytes = input.rest();
    match which {
        0 => same(cuts, bytes, |pieces| frames(limit, pieces)),
        1 => same(cuts, bytes, |pieces| lines(limit, pieces)),
        2 => same(cuts, bytes, |pieces| greeting(Role::Client, pieces)),
        _ => same(cuts, bytes, |pieces| greeting(Role::Server, pieces)),
    }
}

fn same(cuts: Cuts<'_>, bytes: &[u8], decode: impl Fn(&mut dyn Iterator<Item = &[u8]>) -> Decoded) {
    let whole = decode(&mut [bytes].into_iter());
    let split = decode(&mut cuts.of(bytes));
    assert_eq!(split, whole, "in pieces (left) and as a whole (right)");
}

fn frames(limit: usize, pieces: &mut dyn Iterator<Item = &[u8]>) -> Decoded {
    let mut decoder = Decoder::new(limit);
    let mut decoded = Decoded { units: Vec::new(), violation: None, is_partial: false };
    let (mut came, mut known) = (Vec::new(), true);
    'pieces: for piece in pieces {
        came.extend_from_slice(piece);
        let mut input = piece;
        loop {
            match decoder.decode(&mut input) {
                Ok(Some(Frame::Unknown { kind })) => {
                    known = false;
                    decoded.units.push(Unit::Unknown(kind));
                }
                Ok(Some(frame)) => {
                    assert!(payload(&frame).len() <= limit, "a payload over the limit of {limit}: {frame:?}");
                    decoded.units.push(Unit::Frame(encode(&frame)));
                }
                Ok(None) => break,
                Err(violation) => {
                    decoded.violation = Some(violation);
                    break 'pieces;
                }
            }
            assert_owns(decoder.owned(), came.len(), OVERHEAD + limit.max(frame::MAX_REASON));
        }
        assert!(input.is_empty(), "{} bytes are left lying", input.len());
        assert_owns(decoder.owned(), came.len(), OVERHEAD + limit.max(frame::MAX_REASON));
    }
    decoded.is_partial = decoded.violation.is_none() && decoder.is_partial();
    if known {
        agrees(&came, &decoded.units);
    }
    decoded
}

/// Checks that the decoded frames equal the input, except for unused bits of GOAWAY, CLOSE and FAILED.
fn agrees(came: &[u8], units: &[Unit]) {
    let mut at = 0;
    for unit in units {
        let Unit::Frame(bytes) = unit else { continue };
        let mut original = came[at..at + bytes.len()].to_vec();
        if matches!(original[3], 3..=5) {
            original[frame::HEADER + 2] = bytes[frame::HEADER + 2];
        }
        assert_eq!(*bytes, original, "a frame is not what came");
        at += bytes.len();
    }
}

fn lines(limit: usize, pieces: &mut dyn Iterator<Item = &[u8]>) -> Decoded {
    let mut splitter = LineDecoder::new(limit);
    let mut units = Vec::new();
    let (mut came, mut said) = (Vec::new(), Vec::new());
    for piece in pieces {
        came.extend_from_slice(piece);
        let mut input = piece;
        while let Some(message) = splitter.line(&mut input) {
            assert!(!message.is_empty() && message.len() <= limit, "a message of {} of {limit} bytes", message.len());
            assert!(message.ends_with(b"\n") || message.len() == limit, "a message that is no line");
            assert!(!message[..message.len() - 1].contains(&b'\n'), "two lines in one message");
            said.extend_from_slice(message);
            units.push(Unit::Message(message.to_vec()));
            assert_owns(splitter.owned(), came.len(), limit);
        }
        assert!(input.is_empty(), "{} bytes are left lying", input.len());
        assert_owns(splitter.owned(), came.len(), limit);
    }
    let is_partial = splitter.is_partial();
    if let Some(message) = splitter.flush() {
        said.extend_from_slice(message);
        units.push(Unit::Message(message.to_vec()));
    }
    assert_eq!(said, came, "the messages are not what came");
    Decoded { units, violation: None, is_partial }
}

fn greeting(from: Role, pieces: &mut dyn Iterator<Item = &[u8]>) -> Decoded {
    let mut greeting = PrefaceDecoder::new(from);
    let mut decoded = Decoded { units: Vec::new(), violation: None, is_partial: false };
    let mut came = Vec::new();
    for piece in pieces {
        came.extend_from_slice(piece);
        let mut input = piece;
        match greeting.take(&mut input) {
            Ok(None) => assert!(input.is_empty(), "{} bytes are left lying", input.len()),
            Ok(Some(version)) => {
                let fixed = preface::preface(from, 0);
                assert_eq!(came[..preface::LENGTH - 1], fixed[..preface::LENGTH - 1], "no preface, and taken for one");
                decoded.units.push(Unit::Version(version));
                break;
            }
            Err(violation) => {
                // The text of the violation depends on how many bytes have arrived.
                let mut violation = violation;
                (violation.got, violation.peer) = ("".into(), None);
                decoded.violation = Some(violation);
                break;
            }
        }
        assert_owns(greeting.owned(), came.len(), preface::LENGTH);
    }
    decoded
}

/// A growing buffer doubles its size, and the smallest has eight bytes.
fn assert_owns(owned: usize, came: usize, most: usize) {
    assert!(owned <= 2 * came.max(8), "{owned} bytes are owned of {came} that came");
    assert!(owned <= 2 * most.max(8), "{owned} bytes are owned, and the limit is {most}");
}

fn payload<'a>(frame: &Frame<'a>) -> &'a [u8] {
    match frame {
        Frame::Echo { payload, .. } | Frame::Reply { payload, .. } => payload,
        Frame::GoAway { .. } | Frame::Close { .. } | Frame::Failed { .. } | Frame::Unknown { .. } => &[],
    }
}

/// Returns `frame` as bytes; nothing for a frame of an unknown kind.
pub(super) fn encode(frame: &Frame<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    match frame {
        Frame::Echo { seq, t1, payload } => frame::echo_header(&mut bytes, *seq, *t1, payload.len()),
        Frame::Reply { seq, t1, t2, t3, payload } => {
            frame::reply_header(&mut bytes, *seq, [*t1, *t2, *t3], payload.len());
        }
        Frame::GoAway { last, reason: close_reason } => frame::goaway(&mut bytes, *last, close_reason),
        Frame::Close { last, reason: close_reason, first_fin } => {
            frame::close(&mut bytes, *last, close_reason, *first_fin == Role::Server);
        }
        Frame::Failed { seq, failure } => frame::failed(&mut bytes, *seq, failure),
        Frame::Unknown { .. } => (),
    }
    bytes.extend_from_slice(payload(frame));
    bytes
}
