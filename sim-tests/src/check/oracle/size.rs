//! The sizes of messages, for networks whose readers take a limited number of bytes at a time.

use super::message::{Message, Part};
use crate::scenario::defaults::{self, EPOCH};
use crate::scenario::{Scenario, Wire};
use echo_core::{CloseCode, CloseReason, Role, frame, plain, preface};

/// The size of the first part of a message that is stopped inside (see
/// [`WriteLimit`](crate::backend::write_limit::WriteLimit)).
const HEAD: usize = 10;

/// Returns the size of a part of a message from `from`, in bytes.
pub(super) fn size(scenario: &Scenario, from: Role, message: Message, part: Part) -> usize {
    let whole = whole(scenario, from, message);
    let head = if message == Message::Preface { preface::LENGTH / 2 } else { HEAD.min(whole) };
    match part {
        Part::Whole => whole,
        Part::Head => head,
        Part::Tail => whole - head,
    }
}

fn whole(scenario: &Scenario, from: Role, message: Message) -> usize {
    let payload = |seq| scenario.payload(seq).unwrap_or_default().len();
    let is_plain = scenario.wire == Wire::Plain;
    let mut bytes = Vec::new();
    let more = match message {
        Message::Preface => preface::LENGTH,
        Message::Request(seq) if is_plain => payload(seq),
        Message::Answer(seq) if is_plain => ctime() + payload(seq),
        Message::Text => ctime(),
        Message::Request(seq) => {
            frame::echo_header(&mut bytes, seq, EPOCH, payload(seq));
            payload(seq)
        }
        Message::Answer(seq) => {
            frame::reply_header(&mut bytes, seq, [EPOCH; 3], payload(seq));
            payload(seq)
        }
        Message::GoAway { last, code } => {
            frame::goaway(&mut bytes, last, &close_reason(from, code));
            0
        }
        Message::Close(close) => {
            frame::close(&mut bytes, close.count, &close_reason(from, close.code), close.first_fin);
            0
        }
    };
    bytes.len() + more
}

fn ctime() -> usize {
    plain::ctime_header(EPOCH, 0).len()
}

/// Returns a reason of typical length. The contract does not define reason texts, and a few bytes make no difference.
fn close_reason(from: Role, code: u16) -> CloseReason {
    match (from, code) {
        (_, 1000) => CloseReason::normal(),
        (Role::Server, 1001) => defaults::server_close_reason(),
        (Role::Client, 1001) | (_, _) => CloseReason::new(CloseCode(code), "drain deadline"),
    }
}
