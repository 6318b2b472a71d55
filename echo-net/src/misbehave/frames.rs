//! Bytes that a client may or must not send, from the encoders of `echo-core` or by hand from PROTOCOL.md.

use echo_core::{CloseCode, CloseReason, Role, Stamp, frame, preface};

/// Returns the client's preface (clause 1.2).
pub(super) fn client_preface() -> [u8; preface::LENGTH] {
    preface::preface(Role::Client, preface::VERSION)
}

/// Appends an ECHO with a payload of `payload` bytes.
pub(super) fn echo(out: &mut Vec<u8>, seq: u64, payload: usize) {
    frame::echo_header(out, seq, Stamp(0), payload);
    out.resize(out.len() + payload, b'x');
}

/// Appends a REPLY, which a client must not send.
pub(super) fn reply(out: &mut Vec<u8>, seq: u64, payload: usize) {
    frame::reply_header(out, seq, [Stamp(0); 3], payload);
    out.resize(out.len() + payload, b'x');
}

/// Appends a GOAWAY with code 1000.
pub(super) fn goaway(out: &mut Vec<u8>, last: u64) {
    frame::goaway(out, last, &CloseReason::normal());
}

/// Appends a CLOSE with code 1000.
pub(super) fn close(out: &mut Vec<u8>, last: u64) {
    frame::close(out, last, &CloseReason::new(CloseCode::NORMAL, ""), false);
}

/// Appends an empty frame of any kind (clause 4.1).
pub(super) fn empty(out: &mut Vec<u8>, kind: u8) {
    header(out, 0, kind, 0);
}

/// Appends only a frame's header, with any values (clause 4.1).
pub(super) fn header(out: &mut Vec<u8>, body: u32, kind: u8, seq: u64) {
    out.extend_from_slice(&body.to_be_bytes()[1..]);
    out.push(kind);
    out.extend_from_slice(&seq.to_be_bytes());
}

/// The kind byte of ECHO.
pub(super) const ECHO: u8 = 1;
/// An unknown kind that must be skipped (clause 4.7).
pub(super) const UNKNOWN: u8 = 0x7F;
/// An unknown kind that must be refused (clause 4.7).
pub(super) const CRITICAL: u8 = 0x80;
