//! Frames that are encoded and decoded without the codec, so that a mistake of the codec cannot hide itself.

use echo_core::Stamp;

/// 2026-11-23 08:16:00 UTC.
pub const EPOCH: Stamp = Stamp(1_795_421_760_000_000_000);

/// The kind byte of ECHO.
pub const ECHO: u8 = 1;
/// The kind byte of REPLY.
pub const REPLY: u8 = 2;
/// The kind byte of GOAWAY.
pub const GOAWAY: u8 = 3;
/// The kind byte of CLOSE.
pub const CLOSE: u8 = 4;
/// The kind byte of FAILED.
pub const FAILED: u8 = 5;

/// A client's preface.
pub const HELLO: [u8; 8] = *b"\x89ECHO\r\n\x01";
/// A server's preface.
pub const WELCOME: [u8; 8] = *b"\x89echo\r\n\x01";

/// Decodes frames without the codec, so that a mistake of the decoder cannot hide itself. Returns kind, number and body
/// of each. An incomplete frame is left out.
pub fn frames(mut bytes: &[u8]) -> Vec<(u8, u64, Vec<u8>)> {
    let mut frames = Vec::new();
    while let [a, b, c, kind, s0, s1, s2, s3, s4, s5, s6, s7, rest @ ..] = bytes {
        let len = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
        if rest.len() < len {
            break;
        }
        let seq = u64::from_be_bytes([*s0, *s1, *s2, *s3, *s4, *s5, *s6, *s7]);
        frames.push((*kind, seq, rest[..len].to_vec()));
        bytes = &rest[len..];
    }
    frames
}

/// Encodes a frame without the codec.
pub fn raw(kind: u8, seq: u64, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&len[1..], &[kind], &seq.to_be_bytes(), body].concat()
}

/// Encodes an ECHO whose stamp is 0.
pub fn raw_echo(seq: u64, payload: &[u8]) -> Vec<u8> {
    raw(ECHO, seq, &[&[0; 8][..], payload].concat())
}

/// Encodes a REPLY whose stamps are 0.
pub fn raw_reply(seq: u64, payload: &[u8]) -> Vec<u8> {
    raw(REPLY, seq, &[&[0; 24][..], payload].concat())
}

/// Encodes a GOAWAY or CLOSE.
pub fn raw_farewell(kind: u8, last: u64, code: u16, flags: u8, reason: &[u8]) -> Vec<u8> {
    raw(kind, last, &[&code.to_be_bytes()[..], &[flags], reason].concat())
}
