//! Deadlines: section 8 of PROTOCOL.md.

use crate::config_with;
use crate::machines::{SETUPS, reachable};
use echo_core::close::MachineEvent;
use echo_core::timers::Timers;
use echo_core::{CloseReason, Config, Connection, Deadline, Deadlines, End, Output, Stamp};
use sim_tests::in_memory::{CLOSE, GOAWAY, HELLO, Pair, Solo, WELCOME, raw, raw_echo, raw_farewell, raw_reply};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// clause 8.1: the defaults are those of the table in PROTOCOL.md.
#[test]
fn defaults_are_those_of_the_table() {
    let protocol = include_str!("../../PROTOCOL.md");
    let defaults = Deadlines::default();
    for deadline in Deadline::ALL {
        let row = protocol.lines().find(|line| line.starts_with(&format!("| {deadline} |"))).expect("a row");
        let default = row.split('|').nth(3).expect("a default").trim();
        assert_eq!(default, format!("{} s", defaults.length(deadline).as_secs()), "{deadline}");
    }
}

/// clause 8.1: each setting changes only its own deadline.
#[test]
fn settings_by_name() {
    for deadline in Deadline::ALL {
        let mut lengths = Deadlines::default();
        lengths.set(deadline, Duration::from_millis(1));
        for other in Deadline::ALL {
            let expected =
                if other == deadline { Duration::from_millis(1) } else { Deadlines::default().length(other) };
            assert_eq!(lengths.length(other), expected);
        }
    }
}

/// clause 8.3: the earliest deadline is first; of several at the same time, the first of the table.
#[test]
fn order_of_expiry() {
    let mut lengths = Deadlines::default();
    (lengths.fin, lengths.linger) = (SECOND, SECOND);
    let mut timers = Timers::default();
    for deadline in [Deadline::Linger, Deadline::Fin, Deadline::Close] {
        timers.start(deadline, Duration::ZERO, &lengths);
    }
    assert_eq!(timers.next(), Some(SECOND));
    assert_eq!(timers.expired(SECOND - Duration::from_nanos(1)), None);
    let order: Vec<Deadline> = std::iter::from_fn(|| timers.expired(10 * SECOND)).collect();
    assert_eq!(order, [Deadline::Fin, Deadline::Linger, Deadline::Close]);
}

/// clause 8.2: `ensure` does not restart a running deadline, `start` does. A length of `Duration::MAX` never passes.
#[test]
fn ensure_and_start() {
    let mut lengths = Deadlines::default();
    (lengths.fin, lengths.linger) = (SECOND, Duration::MAX);
    let mut timers = Timers::default();
    timers.ensure(Deadline::Fin, Duration::ZERO, &lengths);
    timers.ensure(Deadline::Fin, SECOND / 2, &lengths);
    timers.start(Deadline::Linger, SECOND, &lengths);
    assert_eq!(timers.next(), Some(SECOND));
    timers.start(Deadline::Fin, SECOND / 2, &lengths);
    assert_eq!(timers.next(), Some(SECOND * 3 / 2));
    timers.clear();
    assert_eq!(timers.next(), None);
}

/// clause 8.4: in every reachable state, a deadline of the ending that no wait uses does nothing.
#[test]
fn only_the_wait_has_its_deadline() {
    for setup in SETUPS {
        for machine in reachable(setup) {
            for deadline in [Deadline::Drain, Deadline::Close, Deadline::Fin, Deadline::Linger] {
                let mut after = machine.clone();
                let actions = after.handle(MachineEvent::Deadline(deadline));
                let waited_for = machine.waiting() == Some(deadline);
                assert_eq!(after != machine, waited_for, "{deadline} in {machine:?}");
                assert_eq!(actions != Default::default(), waited_for);
            }
        }
    }
}

/// Feeds `more` once a second until the end. Returns the outcome and its time.
fn drip(mut solo: Solo, mut more: impl FnMut(usize) -> Vec<u8>) -> (End, Duration) {
    for turn in 0..1000 {
        if let Some(outcome) = solo.outcome {
            return (outcome.end, solo.now);
        }
        solo.feed(&more(turn));
        solo.advance(SECOND);
    }
    panic!("kept alive");
}

/// clause 8.1, clause 8.2: one byte a second prolongs neither the preface, nor a frame, nor the ending.
#[test]
fn one_byte_a_second() {
    let (end, at) = drip(Solo::server(), |turn| HELLO.get(turn..=turn).unwrap_or_default().to_vec());
    assert_eq!((end, at.as_secs()), (End::TimedOut(Deadline::Detect), 5 + 2 + 2));
    let mut framed = Solo::server();
    framed.feed(&HELLO);
    let frame = raw_echo(1, &[b'x'; 900]);
    let (end, at) = drip(framed, |turn| vec![frame[turn]]);
    assert_eq!((end, at.as_secs()), (End::TimedOut(Deadline::Close), 300 + 4 + 2 + 2));
    let mut skipped = Solo::server();
    skipped.feed(&HELLO);
    let (end, _) = drip(skipped, |_| raw(0x70, 0, b"I am still here"));
    assert_eq!(end, End::TimedOut(Deadline::Close), "clause 4.7: unknown frames do not reset idle");
}

/// clause 8.2: whole requests do not prolong an ending, and no deadline runs after it.
#[test]
fn requests_do_not_prolong_an_ending() {
    let mut server = Solo::server();
    server.feed(&HELLO);
    server.wish(|server, now| server.leave(now, CloseReason::normal()));
    let (end, at) = drip(server, |turn| raw_echo(turn as u64 + 1, b"again"));
    assert_eq!((end, at), (End::TimedOut(Deadline::Close), 8 * SECOND));
}

/// clause 8.1: only a complete REPLY restarts the answer deadline.
#[test]
fn answers_in_time() {
    let ask = |count: u64| {
        let mut client = Solo::client();
        client.feed(&WELCOME);
        for _ in 0..count {
            client.wish(|client, now| {
                client.send(now, b"x").expect("open");
            });
        }
        client
    };
    let reply = raw_reply(1, &[b'x'; 900]);
    let (end, at) = drip(ask(2), |turn| vec![reply[turn]]);
    assert_eq!((end, at.as_secs()), (End::TimedOut(Deadline::Answer), 30 + 2));
    let mut patient = ask(2);
    for seq in 1..=2 {
        patient.advance(29 * SECOND);
        patient.feed(&raw_reply(seq, b"x"));
    }
    patient.advance(299 * SECOND);
    assert_eq!(patient.fin, None, "nothing is owed, no answer is waited for");
    assert_eq!(patient.wait_for_end().end, End::TimedOut(Deadline::Drain), "a dead server is left when it is idle");
    assert_eq!(patient.ended, Some((29 + 29 + 300 + 4 + 2) * SECOND));
}

/// clause 8.1: the connect and the write deadline: a server without a preface, a transport that accepts nothing.
#[test]
fn connect_and_write() {
    let mut client = Solo::client();
    assert_eq!(client.wait_for_end().end, End::TimedOut(Deadline::Connect));
    assert_eq!((client.now, client.aborted), (10 * SECOND, true));
    let mut server = Solo::server();
    server.stalled = true;
    server.feed(&HELLO);
    assert_eq!(server.wait_for_end().end, End::TimedOut(Deadline::Write));
    assert_eq!((server.now, server.aborted), (30 * SECOND, true));
}

/// clause 8.1: the write deadline restarts with each byte that the transport accepts, and not with zero bytes.
#[test]
fn slow_transport() {
    let mut server = Solo::server();
    server.stalled = true;
    server.feed(&[&HELLO[..], &raw_echo(1, b"x")].concat());
    server.advance(29 * SECOND);
    server.connection.handle_sent(server.now, 1);
    server.advance(29 * SECOND);
    assert!(server.outcome.is_none());
    server.connection.handle_sent(server.now, 0);
    assert_eq!(server.wait_for_end().end, End::TimedOut(Deadline::Write));
    assert_eq!(server.now, (29 + 30) * SECOND);
}

/// clause 8.2: shutdown limits the whole ending.
#[test]
fn shutdown_caps() {
    let mut pair = Pair::with(config_with(|config| config.deadlines.shutdown = 4 * SECOND));
    pair.exchange(usize::MAX);
    pair.server.wish(|server, now| server.leave(now, CloseReason::normal()));
    assert_eq!(pair.server.wait_for_end().end, End::TimedOut(Deadline::Shutdown));
    assert_eq!(pair.server.now, 4 * SECOND);
}

/// clause 8.1: a client that sends nothing: the server sends GOAWAY, CLOSE and FIN, then closes without an abort.
#[test]
fn a_client_that_says_nothing() {
    let mut server = Solo::server();
    server.feed(&HELLO);
    for (at, words, fin) in [
        (299, vec![], false),
        (300, vec![(GOAWAY, 0)], false),
        (305, vec![(GOAWAY, 0), (CLOSE, 0)], false),
        (308, vec![(GOAWAY, 0), (CLOSE, 0)], true),
    ] {
        server.advance_to(at * SECOND);
        assert_eq!((server.frame_numbers(), server.fin.is_some()), (words, fin), "at {at} s");
    }
    assert_eq!(server.frames()[1].2, raw_farewell(CLOSE, 0, 1001, 0, b"idle")[12..]);
    server.advance_to(310 * SECOND);
    assert!(!server.aborted);
    assert_eq!(server.wait_for_end().end, End::TimedOut(Deadline::Close));
    let mut silent = Solo::server();
    assert_eq!(silent.wait_for_end().end, End::TimedOut(Deadline::Idle));
    assert_eq!((silent.sent.len(), silent.fin), (0, Some(300 * SECOND)));
}

/// A server that has left, has sent FIN, and whose peer reads the last answer slowly.
fn lingering(size: usize) -> (Connection, Duration) {
    let now = SECOND;
    let mut server = Connection::server(Config::default(), Stamp(0));
    let message = [b"x".repeat(size), b"\n".to_vec()].concat();
    let mut input = message.as_slice();
    while server.handle_input(now, &mut input).is_some() {}
    server.leave(now, CloseReason::normal());
    loop {
        match server.poll_output(now) {
            Output::Transmit { header, payload } => {
                let count = header.len() + payload.len();
                server.handle_sent(now, count);
            }
            Output::Fin => break server.handle_fin_sent(now),
            output => panic!("{output:?}"),
        }
    }
    (server, now)
}

/// clause 8.6: linger restarts when the peer has acknowledged 16 KiB, and shutdown does not.
#[test]
fn progress_prolongs_linger_and_not_shutdown() {
    let (mut server, begun) = lingering(50_000);
    server.handle_unacknowledged(begun, 50_000);
    for (second, left) in [(2, 50_000 - 16_384), (4, 50_000 - 2 * 16_384)] {
        server.handle_unacknowledged(begun + second * SECOND, left);
        server.handle_time(begun + second * SECOND);
        assert_eq!(server.outcome(), None, "after {second} s");
        assert_eq!(server.next_time(), Some(begun + (second + 2) * SECOND));
    }
    // One byte less than 16 KiB.
    server.handle_unacknowledged(begun + 6 * SECOND, 50_000 - 3 * 16_384 + 1);
    server.handle_time(begun + 6 * SECOND);
    assert_eq!(server.outcome().map(|outcome| outcome.end), Some(End::TimedOut(Deadline::Linger)));
    assert!(matches!(server.poll_output(begun + 6 * SECOND), Output::Ended(_)), "clause 5.9: no abort");

    let (mut server, begun) = lingering(200_000);
    server.handle_unacknowledged(begun, 200_000);
    for second in [2, 4, 6, 8] {
        assert_eq!(server.outcome(), None, "before {second} s");
        server.handle_unacknowledged(begun + second * SECOND, 200_000 - 20_000 * second as usize);
        server.handle_time(begun + second * SECOND);
    }
    assert_eq!(server.outcome().map(|outcome| outcome.end), Some(End::TimedOut(Deadline::Shutdown)));
}

/// clause 8.5: a pause of this side postpones every deadline.
#[test]
fn a_pause_postpones_every_wait() {
    let (mut server, begun) = lingering(50_000);
    server.handle_pause(12 * SECOND);
    server.handle_time(begun + 13 * SECOND);
    assert_eq!(server.outcome(), None);
    server.handle_time(begun + 14 * SECOND);
    assert_eq!(server.outcome().map(|outcome| outcome.end), Some(End::TimedOut(Deadline::Linger)));
}

/// clauses 4.9, 8.1: a server that does not read, because its output waits, cannot know whether its peer is idle.
#[test]
fn idle_does_not_run_while_a_server_does_not_read() {
    let mut server = Solo::server();
    server.stalled = true;
    server.feed(&[b"x".repeat(100_000), b"\n".to_vec()].concat());
    server.advance(29 * SECOND);
    assert!(!server.connection.wants_input());
    assert!(!server.connection.running_deadlines().any(|deadline| deadline == Deadline::Idle));
    server.stalled = false;
    server.settle();
    assert!(server.connection.running_deadlines().any(|deadline| deadline == Deadline::Idle));
}

/// clause 5.9: input that gets no answer is read even if output waits. Otherwise TCP would send RST for unread input.
#[test]
fn an_ending_reads_on_though_its_output_waits() {
    let mut server = Solo::server();
    server.stalled = true;
    server.feed(&[b"x".repeat(100_000), b"\n".to_vec()].concat());
    assert!(!server.connection.wants_input(), "clause 4.9");
    server.wish(|server, now| server.leave(now, CloseReason::normal()));
    assert!(server.connection.wants_input());
}

/// clause 8.1: while the user takes no input, deadlines for the peer do not run.
#[test]
fn idle_and_answer_do_not_run_while_the_user_pauses() {
    let runs = |client: &Solo, deadline| client.connection.running_deadlines().any(|running| running == deadline);
    let mut client = Solo::client();
    client.feed(&WELCOME);
    client.wish(|client, now| {
        client.send(now, b"x").expect("open");
    });
    assert!(runs(&client, Deadline::Idle) && runs(&client, Deadline::Answer));
    client.wish(|client, now| client.pause(now, true));
    assert!(!runs(&client, Deadline::Idle) && !runs(&client, Deadline::Answer));
    client.advance(1000 * SECOND);
    client.wish(|client, now| client.pause(now, false));
    assert!(runs(&client, Deadline::Idle) && runs(&client, Deadline::Answer));
    client.advance(29 * SECOND);
    client.feed(&raw_reply(1, b"x"));
    assert_eq!(client.outcome, None);
}
