//! Frames: section 4 of PROTOCOL.md.

use echo_core::error::ViolationKind;
use echo_core::frame::{self, Decoder, Frame, MAX_PAYLOAD, MAX_REASON};
use echo_core::{CloseCode, CloseReason, Failure, Role, Stamp, Violation};
use proptest::prelude::*;
use sim_tests::in_memory::{CLOSE, ECHO, GOAWAY, REPLY, raw, raw_echo, raw_farewell};

/// A frame that owns its contents.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Owned {
    Echo(u64, i64, Vec<u8>),
    Reply(u64, [i64; 3], Vec<u8>),
    GoAway(u64, u16, String),
    Close(u64, u16, String, bool),
    Failed(u64, u16, String),
    Unknown(u8, usize),
}

impl Owned {
    fn of(frame: &Frame<'_>, body: usize) -> Self {
        match frame {
            Frame::Echo { seq, t1, payload } => Self::Echo(*seq, t1.0, payload.to_vec()),
            Frame::Reply { seq, t1, t2, t3, payload } => Self::Reply(*seq, [t1.0, t2.0, t3.0], payload.to_vec()),
            Frame::GoAway { last, reason: close_reason } => {
                Self::GoAway(*last, close_reason.code.0, close_reason.text.clone())
            }
            Frame::Close { last, reason: close_reason, first_fin } => {
                Self::Close(*last, close_reason.code.0, close_reason.text.clone(), *first_fin == Role::Server)
            }
            Frame::Failed { seq, failure } => Self::Failed(*seq, failure.code.0, failure.text.clone()),
            Frame::Unknown { kind } => Self::Unknown(*kind, body),
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Echo(seq, t1, payload) => {
                frame::echo_header(out, *seq, Stamp(*t1), payload.len());
                out.extend_from_slice(payload);
            }
            Self::Reply(seq, stamps, payload) => {
                frame::reply_header(out, *seq, stamps.map(Stamp), payload.len());
                out.extend_from_slice(payload);
            }
            Self::GoAway(last, code, reason) => {
                frame::goaway(out, *last, &CloseReason::new(CloseCode(*code), reason.clone()));
            }
            Self::Close(last, code, reason, fin_first) => {
                frame::close(out, *last, &CloseReason::new(CloseCode(*code), reason.clone()), *fin_first);
            }
            Self::Failed(seq, code, reason) => {
                frame::failed(out, *seq, &Failure::new(CloseCode(*code), reason.clone()));
            }
            Self::Unknown(kind, body) => out.extend_from_slice(&raw(*kind, 77, &vec![3; *body])),
        }
    }
}

fn any_frame() -> impl Strategy<Value = Owned> {
    let payload = || prop::collection::vec(any::<u8>(), 0..40);
    prop_oneof![
        (any::<u64>(), any::<i64>(), payload()).prop_map(|(seq, t1, payload)| Owned::Echo(seq, t1, payload)),
        (any::<u64>(), any::<[i64; 3]>(), payload())
            .prop_map(|(seq, stamps, payload)| Owned::Reply(seq, stamps, payload)),
        (any::<u64>(), any::<u16>(), "\\PC{0,20}").prop_map(|(last, code, reason)| Owned::GoAway(last, code, reason)),
        (any::<u64>(), any::<u16>(), "\\PC{0,20}", any::<bool>())
            .prop_map(|(last, code, reason, fin)| Owned::Close(last, code, reason, fin)),
        (any::<u64>(), any::<u16>(), "\\PC{0,20}").prop_map(|(seq, code, reason)| Owned::Failed(seq, code, reason)),
        (6_u8..0x80, 0_usize..40).prop_map(|(kind, body)| Owned::Unknown(kind, body)),
    ]
}

/// Decodes `pieces`, each as one read. The length of an unknown frame is not reported, so it is 0.
fn decode(decoder: &mut Decoder, pieces: &[&[u8]]) -> Result<Vec<Owned>, Violation> {
    let mut frames = Vec::new();
    for piece in pieces {
        let mut input = *piece;
        while let Some(frame) = decoder.decode(&mut input)? {
            frames.push(Owned::of(&frame, 0));
        }
        assert!(input.is_empty(), "all that came is used");
    }
    Ok(frames)
}

fn decode_one(limit: usize, bytes: &[u8]) -> Result<Vec<Owned>, Violation> {
    decode(&mut Decoder::new(limit), &[bytes])
}

proptest! {
    /// clause 4.1, clause 4.8: frames are decoded as they were encoded, wherever the transport cuts them.
    #[test]
    fn any_cut_gives_the_same_frames(
        sent in prop::collection::vec(any_frame(), 1..5),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let mut bytes = Vec::new();
        sent.iter().for_each(|frame| frame.encode(&mut bytes));
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut from = 0;
        for cut in cuts.into_iter().chain([bytes.len()]) {
            pieces.push(&bytes[from..cut]);
            from = cut;
        }
        let expected: Vec<Owned> = sent.into_iter().map(|frame| match frame {
            Owned::Unknown(kind, _) => Owned::Unknown(kind, 0),
            Owned::Echo(..) | Owned::Reply(..) | Owned::GoAway(..) | Owned::Close(..) | Owned::Failed(..) => frame,
        }).collect();
        let mut decoder = Decoder::new(1000);
        prop_assert_eq!(decode(&mut decoder, &pieces).expect("valid frames"), expected);
        prop_assert!(!decoder.is_partial());
    }

    /// Any bytes cause no panic, and the decoder never keeps more than one frame.
    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200), limit in 0_usize..64) {
        let _ = decode_one(limit, &bytes);
    }
}

/// clause 4.8: every split point of one stream.
#[test]
fn every_split_point() {
    let bytes = [
        raw_echo(1, b"abc"),
        raw(9, 0, b"skip me"),
        raw_farewell(GOAWAY, 1, 1000, 0, "grüße".as_bytes()),
        raw_farewell(CLOSE, 1, 1000, 1, b""),
    ]
    .concat();
    let whole = decode_one(100, &bytes).expect("valid");
    assert_eq!(whole.len(), 4);
    for at in 0..=bytes.len() {
        let (one, two) = bytes.split_at(at);
        assert_eq!(decode(&mut Decoder::new(100), &[one, two]).expect("valid"), whole, "split at {at}");
    }
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(decode(&mut Decoder::new(100), &single).expect("valid"), whole);
}

/// clause 4.1: the layout, byte by byte.
#[test]
fn layout() {
    let mut out = Vec::new();
    frame::echo_header(&mut out, 0x0102_0304_0506_0708, Stamp(0x1112_1314_1516_1718), 2);
    assert_eq!(out, [0, 0, 10, 1, 1, 2, 3, 4, 5, 6, 7, 8, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18]);
    out.clear();
    frame::reply_header(&mut out, 1, [Stamp(1), Stamp(2), Stamp(-1)], 0x01_0000);
    assert_eq!(out[..12], [1, 0, 24, 2, 0, 0, 0, 0, 0, 0, 0, 1]);
    assert_eq!(out[12..], [&[0, 0, 0, 0, 0, 0, 0, 1][..], &[0, 0, 0, 0, 0, 0, 0, 2], &[0xFF; 8]].concat());
    out.clear();
    frame::close(&mut out, 7, &CloseReason::new(CloseCode::POLICY, "no"), true);
    assert_eq!(out, [0, 0, 5, 4, 0, 0, 0, 0, 0, 0, 0, 7, 3, 0xF0, 1, b'n', b'o']);
}

/// clause 4.4: a payload at the limit is accepted. One byte more is rejected by the header alone.
#[test]
fn limits_of_payloads() {
    for limit in [0, 1, 300, MAX_PAYLOAD] {
        for (kind, stamps) in [(ECHO, 8), (REPLY, 24)] {
            let header =
                |body: usize| [&u32::try_from(body).expect("24 bits").to_be_bytes()[1..], &[kind], &[0; 8]].concat();
            let at_limit = [header(stamps + limit), vec![0; stamps + limit]].concat();
            assert_eq!(decode_one(limit, &at_limit).expect("at the limit").len(), 1);
            if stamps + limit < frame::MAX_BODY {
                let error = decode_one(limit, &header(stamps + limit + 1)).expect_err("one past it");
                assert_eq!(error.kind, ViolationKind::TooBig);
                assert_eq!(error.code(), CloseCode::TOO_BIG);
            }
        }
    }
    assert_eq!(MAX_PAYLOAD, 16_777_191);
    assert_eq!(decode_one(5, &raw(9, 0, &[0; 29])).expect("as long as a REPLY").len(), 1);
    assert_eq!(decode_one(5, &raw(9, 0, &[0; 30])).expect_err("longer").kind, ViolationKind::TooBig);
}

/// clause 4.3: a reason of 123 bytes is accepted, and one of 124 is not. The encoder cuts a longer one at a character.
#[test]
fn limits_of_reasons() {
    let reason = |len: usize| raw_farewell(CLOSE, 0, 1000, 0, &vec![b'r'; len]);
    assert_eq!(decode_one(0, &reason(MAX_REASON)).expect("at the limit").len(), 1);
    let error = decode_one(0, &reason(MAX_REASON + 1)).expect_err("one past it");
    assert_eq!((error.kind, error.code()), (ViolationKind::Protocol, CloseCode::PROTOCOL_ERROR));
    let mut out = Vec::new();
    frame::goaway(&mut out, 0, &CloseReason::new(CloseCode::NORMAL, "é".repeat(62)));
    assert_eq!(out.len(), 12 + 3 + 122, "61 characters of two bytes; half of the 62nd does not go");
    assert_eq!(decode_one(0, &out).expect("still UTF-8"), [Owned::GoAway(0, 1000, "é".repeat(61))]);
}

/// clause 4.3: a reason with invalid UTF-8 is quoted with escapes.
#[test]
fn reason_not_in_utf8() {
    let error = decode_one(0, &raw_farewell(GOAWAY, 0, 1000, 0, b"\xFF\x1B[2J")).expect_err("not UTF-8");
    assert_eq!(error.to_string(), r"expected a reason in UTF-8 in GOAWAY, got the bytes \xff\x1b[2J");
}

/// clause 4.5: a body shorter than its kind needs is a violation.
#[test]
fn short_bodies() {
    for (kind, least) in [(ECHO, 8), (REPLY, 24), (GOAWAY, 3), (CLOSE, 3)] {
        assert_eq!(decode_one(9, &raw(kind, 0, &vec![0; least])).expect("just long enough").len(), 1);
        let error = decode_one(9, &raw(kind, 0, &vec![0; least - 1])).expect_err("too short");
        assert_eq!(error.code(), CloseCode::PROTOCOL_ERROR);
    }
}

/// clause 4.2: all flags but bit 0 of CLOSE are ignored.
#[test]
fn unknown_flags() {
    let close = |flags| decode_one(0, &raw_farewell(CLOSE, 3, 1000, flags, b"")).expect("valid");
    assert_eq!(close(0xFE), [Owned::Close(3, 1000, String::new(), false)]);
    assert_eq!(close(0xFF), [Owned::Close(3, 1000, String::new(), true)]);
    assert_eq!(decode_one(0, &raw_farewell(GOAWAY, 3, 1000, 0xFF, b"")).expect("valid").len(), 1);
}

/// clause 4.7: unknown kinds below 0x80 are skipped, the others are a violation.
#[test]
fn every_kind() {
    for kind in 0..=u8::MAX {
        let decoded = decode_one(100, &raw(kind, 0, &[0; 24]));
        match kind {
            0x80.. => assert_eq!(decoded.expect_err("critical").code(), CloseCode::PROTOCOL_ERROR),
            0 | 6.. => assert_eq!(decoded.expect("skipped"), [Owned::Unknown(kind, 0)]),
            1..=5 => assert_eq!(decoded.expect("known").len(), 1),
        }
    }
    let long = raw(0x7F, 0, &[0xAA; 100]);
    let mut decoder = Decoder::new(100);
    assert_eq!(decode(&mut decoder, &[&long[..50]]).expect("skipping"), []);
    assert!(decoder.is_partial());
    assert_eq!(decode(&mut decoder, &[&long[50..]]).expect("skipped"), [Owned::Unknown(0x7F, 0)]);
}
