//! Two correct connections, and any schedule between them.

use super::input::Input;
use super::observed_config;
use super::rules;
use crate::in_memory::{Pair, Solo};
use echo_core::{CloseCode, CloseReason, Config, Connection, End, Outcome, Role};
use std::time::Duration;

/// The largest number of steps.
const STEPS: usize = 120;
/// A step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Send,
    Carry,
    Leave,
    Fail,
    Abort,
    /// Advances both sides to the next deadline of either.
    Deadline,
    Wait,
    /// A relay cuts the direction to one side, and sends FIN.
    Cut,
    /// One side receives RST, whatever is in flight.
    Reset,
    WriteFails,
    Stall,
}

/// Steps that reach more states are listed more often.
const OPS: [Op; 20] = [
    Op::Carry,
    Op::Carry,
    Op::Carry,
    Op::Carry,
    Op::Carry,
    Op::Carry,
    Op::Send,
    Op::Send,
    Op::Send,
    Op::Leave,
    Op::Leave,
    Op::Stall,
    Op::Stall,
    Op::Deadline,
    Op::Wait,
    Op::Fail,
    Op::Abort,
    Op::Cut,
    Op::Reset,
    Op::WriteFails,
];

/// Kinds of fault that an input may leave out, one for each bit of its first byte (swarm testing).
const FAULTS: [Op; 8] = [Op::Fail, Op::Abort, Op::Deadline, Op::Wait, Op::Cut, Op::Reset, Op::WriteFails, Op::Stall];

/// Checks any schedule with faults: the ends are never clean with an answer missing, no account claims more than what
/// happened, no side reports a violation, and both end.
pub(super) fn schedule(data: &[u8]) {
    let mut input = Input::new(data);
    let left_out = input.next::<u8>();
    let config = config(&mut input);
    let mut pair = Pair::with(config);
    for _ in 0..STEPS {
        if input.is_empty() {
            break;
        }
        let op = input.pick(&OPS);
        let fault = FAULTS.iter().position(|fault| *fault == op);
        if fault.is_none_or(|bit| left_out >> bit & 1 == 0) {
            apply(&mut pair, op, &mut input);
        }
        for solo in [&pair.client, &pair.server] {
            rules::deadlines(solo);
            rules::memory(&solo.connection, &config);
        }
    }
    let (client, server) = finish(&mut pair, &config);
    rules::close_is_last(&pair.client);
    rules::close_is_last(&pair.server);
    rules::truth(&pair, &client, &server);
}

/// Checks any schedule without faults: both ends are clean, neither aborts, and the configured side sends FIN first,
/// however the transport splits the data.
pub(super) fn peace(data: &[u8]) {
    let mut input = Input::new(data);
    let config = config(&mut input);
    let mut pair = Pair::with(config);
    let mut asked = 0;
    for _ in 0..input.below(6) {
        let size = usize::from(input.next::<u16>()) % 6000;
        pair.client.wish(|client, now| {
            let _ = client.send(now, &vec![b'x'; size]);
        });
        asked += 1;
    }
    for _ in 0..input.below(60) {
        carry(&mut pair, &mut input);
    }
    pair.exchange(1000);
    for _ in 0..=input.below(3) {
        let who = input.pick(&Role::BOTH);
        side(&mut pair, who).wish(|side, now| side.leave(now, CloseReason::normal()));
        carry(&mut pair, &mut input);
    }
    let other = if config.first_fin == Role::Server { Role::Client } else { Role::Server };
    while pair.client.outcome.is_none() || pair.server.outcome.is_none() {
        let (late, early) = (side(&mut pair, other).fin, side(&mut pair, config.first_fin).fin);
        assert!(early.is_some() || late.is_none(), "the setting names who sends FIN first");
        assert!(pair.carry_to_server(1) || pair.carry_to_client(1), "nothing is on its way, and not both have ended");
    }
    let (client, server) = pair.finish(1);
    for (outcome, solo) in [(&client, &pair.client), (&server, &pair.server)] {
        assert!(matches!(outcome.end, End::Clean(_)), "in peace: {outcome}");
        assert_eq!(outcome.account.answered, asked, "in peace: {outcome}");
        assert!(!solo.aborted, "in peace nobody aborts");
        rules::close_is_last(solo);
    }
    rules::truth(&pair, &client, &server);
}

pub(super) fn config(input: &mut Input<'_>) -> Config {
    let first_fin = input.pick(&Role::BOTH);
    observed_config(|config| config.first_fin = first_fin)
}

pub(super) fn side(pair: &mut Pair, role: Role) -> &mut Solo {
    match role {
        Role::Client => &mut pair.client,
        Role::Server => &mut pair.server,
    }
}

fn carry(pair: &mut Pair, input: &mut Input<'_>) {
    let (to, most) = (input.pick(&Role::BOTH), usize::from(input.next::<u8>()));
    let most = if most == 0 { usize::MAX } else { most };
    match to {
        Role::Server => pair.carry_to_server(most),
        Role::Client => pair.carry_to_client(most),
    };
}

fn apply(pair: &mut Pair, op: Op, input: &mut Input<'_>) {
    match op {
        Op::Send => {
            // The last size exceeds the output that may wait, and takes a hundred times as long to deliver as the small
            // ones.
            let size = input.pick(&[0, 1, 1, 19, 19, 40, 40, 500, 4090, 4096, 4110, 66_000]);
            pair.client.wish(|client, now| {
                let _ = client.send(now, &vec![b'x'; size]);
            });
        }
        Op::Carry => carry(pair, input),
        Op::Leave => side(pair, input.pick(&Role::BOTH)).wish(|side, now| side.leave(now, CloseReason::normal())),
        Op::Fail => {
            let close_reason = CloseReason::new(CloseCode::INTERNAL, "no");
            side(pair, input.pick(&Role::BOTH)).wish(|side, now| side.fail(now, close_reason));
        }
        Op::Abort => side(pair, input.pick(&Role::BOTH)).wish(Connection::abort),
        Op::Deadline => pair.step(),
        Op::Wait => {
            let later = Duration::from_millis(u64::from(input.next::<u16>() % 3000));
            pair.advance_to(pair.client.now.max(pair.server.now) + later);
        }
        Op::Cut if input.flag() => pair.cut_to_server(),
        Op::Cut => pair.cut_to_client(),
        Op::Reset => side(pair, input.pick(&Role::BOTH)).reset(),
        Op::WriteFails => side(pair, input.pick(&Role::BOTH)).wish(|side, now| side.handle_write_failed(now)),
        Op::Stall => {
            let on = input.flag();
            let side = side(pair, input.pick(&Role::BOTH));
            side.stalled = on;
            side.settle();
        }
    }
}

/// Continues until both sides have ended.
pub(super) fn finish(pair: &mut Pair, config: &Config) -> (Outcome, Outcome) {
    for _ in 0..10_000 {
        pair.exchange(usize::MAX);
        for role in Role::BOTH {
            let side = side(pair, role);
            // A transport whose write failed finally reports the error to its reader.
            if side.connection.is_write_closed() && side.outcome.is_none() {
                side.reset();
            }
            rules::deadlines(side);
        }
        if let (Some(client), Some(server)) = (pair.client.outcome.clone(), pair.server.outcome.clone()) {
            rules::duration(&pair.client, config);
            rules::duration(&pair.server, config);
            return (client, server);
        }
        pair.step();
    }
    panic!("no end: {:?} / {:?}", pair.client.outcome, pair.server.outcome);
}
