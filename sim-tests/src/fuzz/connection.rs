//! Calls on one connection in any order.

use super::input::Input;
use super::observed_config;
use super::rules;
use crate::in_memory::{EPOCH, HELLO, Solo, WELCOME, raw, raw_echo, raw_farewell, raw_reply};
use echo_core::close::HalfState;
use echo_core::{CloseCode, CloseReason, Config, Connection, Role};
use std::time::Duration;

/// The largest number of calls.
const CALLS: usize = 200;

/// A call or an input.
#[derive(Clone, Copy, Debug)]
enum Op {
    Send,
    Leave,
    Fail,
    Abort,
    Bytes,
    Frame,
    Fin,
    Reset,
    WriteFails,
    Stall,
    Deadline,
    Wait,
}

/// Operations that reach more states are listed more often.
const OPS: [Op; 25] = [
    Op::Frame,
    Op::Frame,
    Op::Frame,
    Op::Frame,
    Op::Frame,
    Op::Frame,
    Op::Frame,
    Op::Frame,
    Op::Send,
    Op::Send,
    Op::Send,
    Op::Bytes,
    Op::Bytes,
    Op::Bytes,
    Op::Leave,
    Op::Leave,
    Op::Stall,
    Op::Stall,
    Op::Deadline,
    Op::Wait,
    Op::Fail,
    Op::Abort,
    Op::Fin,
    Op::Reset,
    Op::WriteFails,
];

/// Checks either role, on either wire, with calls in any order. Whatever happens, the connection ends in time, owns no
/// more memory than it may, sends nothing after its CLOSE, and claims nothing without a proof.
pub(super) fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let (role, plain) = (input.pick(&[Role::Server, Role::Client]), input.flag());
    let first_fin = input.pick(&Role::BOTH);
    let quiet = Duration::from_millis(input.pick(&[20, 0]));
    let limit = input.pick(&[1 << 20, 30, 5000]);
    let config = observed_config(|config| {
        (config.first_fin, config.quiet, config.limit) = (first_fin, quiet, limit);
    });
    let mut solo = Solo::new(match (role, plain) {
        (Role::Server, _) => Connection::server(config, EPOCH),
        (Role::Client, false) => Connection::client(config, EPOCH),
        (Role::Client, true) => Connection::plain_client(config, EPOCH),
    });
    if !plain && input.below(8) != 1 {
        solo.feed(if role == Role::Server { &HELLO } else { &WELCOME });
    }
    let mut gone = false;
    for _ in 0..CALLS {
        if input.is_empty() || solo.outcome.is_some() {
            break;
        }
        let op = input.pick(&OPS);
        gone = apply(&mut solo, op, &mut input, gone);
        rules::deadlines(&solo);
        rules::memory(&solo.connection, &config);
    }
    end(&mut solo, &config);
}

/// Lets the connection end without further input, and checks the rules.
pub(super) fn end(solo: &mut Solo, config: &Config) {
    solo.wish(|connection, now| connection.leave(now, CloseReason::normal()));
    while solo.outcome.is_none() {
        rules::deadlines(solo);
        if solo.connection.is_write_closed() {
            // A transport whose write failed finally reports the error to its reader.
            solo.reset();
            continue;
        }
        let due = solo.connection.next_time().expect("what has not ended waits for a deadline");
        solo.advance_to(due.max(solo.now));
    }
    rules::duration(solo, config);
    let Some(outcome) = solo.outcome.clone() else { return };
    if solo.connection.is_plain() == Some(false) {
        rules::close_is_last(solo);
        rules::truth_alone(solo, &outcome);
    }
}

/// Applies `op`. Returns whether the peer's direction is over.
fn apply(solo: &mut Solo, op: Op, input: &mut Input<'_>, gone: bool) -> bool {
    match op {
        Op::Send => {
            let size = input.pick(&[0, 1, 20, 31, 5000, 70_000]);
            solo.wish(|connection, now| {
                let _ = connection.send(now, &vec![b'x'; size]);
            });
        }
        Op::Leave => solo.wish(|connection, now| connection.leave(now, CloseReason::normal())),
        Op::Fail => solo.wish(|connection, now| connection.fail(now, CloseReason::new(CloseCode::INTERNAL, "no"))),
        Op::Abort => solo.wish(Connection::abort),
        Op::Bytes if !gone => {
            let count = input.below(64);
            let bytes = input.take(count);
            solo.feed(bytes);
        }
        Op::Frame if !gone => {
            let (frame, size) = (frame(solo, input), usize::from(input.next::<u8>()));
            if size == 0 || size >= frame.len() {
                solo.feed(&frame);
            } else {
                solo.feed(&frame[..size]);
                solo.feed(&frame[size..]);
            }
        }
        Op::Bytes | Op::Frame => (),
        Op::Fin if !gone => solo.feed_fin(),
        Op::Fin | Op::Reset => solo.reset(),
        Op::WriteFails => solo.wish(|connection, now| connection.handle_write_failed(now)),
        Op::Stall => {
            solo.stalled = input.flag();
            solo.settle();
        }
        Op::Deadline => {
            if let Some(due) = solo.connection.next_time() {
                solo.advance_to(due.max(solo.now));
            }
        }
        Op::Wait => solo.advance(Duration::from_millis(u64::from(input.next::<u16>()))),
    }
    gone || matches!(op, Op::Fin | Op::Reset)
}

/// Returns input from a peer: mostly what is correct, otherwise something similar.
fn frame(solo: &Solo, input: &mut Input<'_>) -> Vec<u8> {
    let account = solo.connection.machine().account();
    let (asked, held) = (account.asked, solo.numbers().len() as u64);
    let off = |input: &mut Input<'_>, right: u64| match input.below(16) {
        1 => right + 1,
        2 => right.wrapping_sub(1),
        3 => input.next(),
        _ => right,
    };
    let code = |input: &mut Input<'_>| input.pick(&[1000, 1001, 1012, 1002, 1013, 0]);
    let closing = solo.connection.machine().sent() != HalfState::Open;
    match input.below(if closing { 10 } else { 8 }) {
        0 | 1 => {
            let size = input.pick(&[0, 1, 8, 29, 30, 31, 4999, 6000]);
            raw_echo(off(input, asked + 1), &vec![b'e'; size])
        }
        2 => raw_reply(off(input, held + 1), b"answer"),
        3 => raw_farewell(3, off(input, asked), code(input), 0, b""),
        4 => raw(input.next(), input.next(), b"body"),
        5 => {
            let count = input.below(40);
            [input.take(count), b"\n"].concat()
        }
        6 => HELLO.to_vec(),
        // CLOSE, mostly with the correct count.
        _ => {
            let right = if solo.connection.machine().role() == Role::Client { held } else { asked };
            raw_farewell(4, off(input, right), code(input), input.next::<u8>() & 3, b"why")
        }
    }
}
