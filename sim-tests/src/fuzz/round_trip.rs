//! Frames that are encoded and decoded again.

use super::decoder::encode;
use super::input::Input;
use echo_core::frame::{Decoder, Frame, MAX_REASON};
use echo_core::{CloseCode, CloseReason, Failure, Role, Stamp};

/// The longest payload.
const LIMIT: usize = 255;

/// Checks that any frames, encoded one after the other and decoded in any pieces, are the same frames.
pub(super) fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let cuts = input.cuts();
    let mut frames = Vec::new();
    let mut bytes = Vec::new();
    while !input.is_empty() && frames.len() < 64 {
        let frame = frame(&mut input);
        bytes.extend_from_slice(&encode(&frame));
        frames.push(cut(frame));
    }
    let mut decoder = Decoder::new(LIMIT);
    let mut expected = frames.iter();
    for piece in cuts.of(&bytes) {
        let mut piece = piece;
        while let Some(frame) = decoder.decode(&mut piece).expect("what was encoded can be decoded") {
            assert_eq!(Some(&frame), expected.next());
        }
    }
    assert_eq!(expected.next(), None, "a frame is missing");
    assert!(!decoder.is_partial(), "something is left over");
}

fn frame<'a>(input: &mut Input<'a>) -> Frame<'a> {
    let kind = input.below(5);
    let seq = input.next();
    let mut stamp = || Stamp(input.next());
    match kind {
        0 => Frame::Echo { seq, t1: stamp(), payload: payload(input) },
        1 => Frame::Reply { seq, t1: stamp(), t2: stamp(), t3: stamp(), payload: payload(input) },
        2 => Frame::GoAway { last: seq, reason: close_reason(input) },
        3 => {
            let first_fin = input.pick(&Role::BOTH);
            Frame::Close { last: seq, reason: close_reason(input), first_fin }
        }
        _ => {
            let CloseReason { code, text } = close_reason(input);
            Frame::Failed { seq, failure: Failure { code, text } }
        }
    }
}

fn payload<'a>(input: &mut Input<'a>) -> &'a [u8] {
    let length = input.below(LIMIT + 1);
    input.take(length)
}

fn close_reason(input: &mut Input<'_>) -> CloseReason {
    let code = CloseCode(input.next());
    let length = input.below(256);
    CloseReason::new(code, String::from_utf8_lossy(input.take(length)))
}

/// Returns the frame as it is on the wire: a reason that is too long is cut at a character boundary.
fn cut(frame: Frame<'_>) -> Frame<'_> {
    let short = |CloseReason { code, text: reason }: CloseReason| {
        let end = reason.floor_char_boundary(MAX_REASON);
        CloseReason::new(code, &reason[..end])
    };
    match frame {
        Frame::GoAway { last, reason: close_reason } => Frame::GoAway { last, reason: short(close_reason) },
        Frame::Close { last, reason: close_reason, first_fin } => {
            Frame::Close { last, reason: short(close_reason), first_fin }
        }
        Frame::Failed { seq, failure: Failure { code, text } } => {
            let CloseReason { code, text } = short(CloseReason { code, text });
            Frame::Failed { seq, failure: Failure { code, text } }
        }
        Frame::Echo { .. } | Frame::Reply { .. } | Frame::Unknown { .. } => frame,
    }
}
