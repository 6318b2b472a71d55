//! The close contract in its usual order (PROTOCOL.md, clauses 5.1 to 5.5), on two connections.

use crate::config_with;
use echo_core::{CloseCode, CloseReason, End, Outcome, Role, Side, Tally};
use sim_tests::in_memory::{
    CLOSE, ECHO, GOAWAY, HELLO, Pair, REPLY, Seen, Solo, WELCOME, raw_echo, raw_farewell, raw_reply,
};
use std::time::Duration;

pub(crate) fn tally(answered: u64, refused: u64, unknown: u64) -> Tally {
    Tally { answered, refused, unknown }
}

pub(crate) fn clean(outcome: &Outcome) -> bool {
    matches!(outcome.end, End::Clean(_))
}

pub(crate) fn send(pair: &mut Pair, count: usize) {
    ask(&mut pair.client, count);
}

/// Sends `count` requests.
pub(crate) fn ask(client: &mut Solo, count: usize) {
    for _ in 0..count {
        client.wish(|client, now| {
            client.send(now, b"message").expect("open");
        });
    }
}

pub(crate) fn leave(solo: &mut Solo) {
    solo.wish(|connection, now| connection.leave(now, CloseReason::normal()));
}

pub(crate) fn fail(solo: &mut Solo, code: CloseCode) {
    solo.wish(|connection, now| connection.fail(now, CloseReason::new(code, "because")));
}

/// A server that has read a client's preface.
pub(crate) fn greeted_server() -> Solo {
    let mut server = Solo::server();
    server.feed(&HELLO);
    server
}

/// A client that has read the server's preface and sent `count` requests.
pub(crate) fn greeted_client(count: usize) -> Solo {
    let mut client = Solo::client();
    client.feed(&WELCOME);
    ask(&mut client, count);
    client
}

pub(crate) fn close(last: u64, code: u16) -> Vec<u8> {
    raw_farewell(CLOSE, last, code, 0, b"")
}

pub(crate) fn goaway(last: u64, code: u16) -> Vec<u8> {
    raw_farewell(GOAWAY, last, code, 0, b"")
}

/// clause 5.1, clause 5.2, clause 5.3: the client leaves first, and both ends can prove the end.
#[test]
fn client_leaves_clean() {
    let mut pair = Pair::new();
    send(&mut pair, 3);
    leave(&mut pair.client);
    let (client, server) = pair.finish(usize::MAX);
    assert_eq!(pair.client.frame_numbers(), [(ECHO, 1), (ECHO, 2), (ECHO, 3), (GOAWAY, 3), (CLOSE, 3)]);
    assert_eq!(pair.server.frame_numbers(), [(REPLY, 1), (REPLY, 2), (REPLY, 3), (CLOSE, 3)]);
    assert_eq!(
        (client.end, client.began, client.account),
        (End::Clean(CloseCode::NORMAL), Side::Local, tally(3, 0, 0))
    );
    assert_eq!((server.end, server.began, server.account), (End::Clean(CloseCode::NORMAL), Side::Peer, tally(3, 0, 0)));
}

/// clause 5.1: the server leaves first; the client answers with its own GOAWAY.
#[test]
fn server_leaves_clean() {
    let mut pair = Pair::new();
    send(&mut pair, 2);
    pair.exchange(7);
    pair.server.wish(|server, now| server.leave(now, CloseReason::new(CloseCode::RESTART, "update")));
    let (client, server) = pair.finish(7);
    assert_eq!(pair.server.frame_numbers(), [(REPLY, 1), (REPLY, 2), (GOAWAY, 0), (CLOSE, 2)]);
    assert_eq!(pair.client.frame_numbers(), [(ECHO, 1), (ECHO, 2), (GOAWAY, 2), (CLOSE, 2)]);
    assert_eq!((client.end, client.began), (End::Clean(CloseCode::RESTART), Side::Peer));
    assert_eq!((server.end, server.began), (End::Clean(CloseCode::RESTART), Side::Local));
    assert!(pair.client.seen.contains(&Seen::Leaving(1012)));
}

/// clause 5.1, clause 5.13: GOAWAY frames that cross do no harm.
#[test]
fn both_leave_at_once() {
    let mut pair = Pair::new();
    send(&mut pair, 2);
    pair.exchange(usize::MAX);
    leave(&mut pair.client);
    leave(&mut pair.server);
    let (client, server) = pair.finish(1);
    assert_eq!(pair.client.frame_numbers().iter().filter(|word| word.0 == GOAWAY).count(), 1);
    assert_eq!(pair.server.frame_numbers().iter().filter(|word| word.0 == GOAWAY).count(), 1);
    assert!(clean(&client) && clean(&server));
    assert_eq!((client.began, server.began), (Side::Local, Side::Local));
}

/// clause 5.1: only one GOAWAY, with the right number, and no request after it.
#[test]
fn wrong_goaways_are_violations() {
    let cases: [(&[Vec<u8>], &str); 3] = [
        (&[goaway(1, 1000)], "expected GOAWAY 0, got GOAWAY 1"),
        (&[goaway(0, 1000), goaway(0, 1000)], "expected at most one GOAWAY, got another"),
        (&[goaway(0, 1000), raw_echo(1, b"late")], "expected CLOSE or FIN, got request 1"),
    ];
    for (frames, text) in cases {
        let mut server = greeted_server();
        server.feed(&frames.concat());
        server.feed_fin();
        let End::Violation(violation) = server.wait_for_end().end else { panic!("a violation: {text}") };
        assert_eq!(violation.to_string(), text);
        assert_eq!(server.numbers(), [0; 0]);
    }
}

/// clause 5.2: if the client sends nothing until the drain deadline, the server's CLOSE counts what it accepted, and
/// later requests do not run.
#[test]
fn drain_deadline_closes_and_runs_nothing_later() {
    let mut server = greeted_server();
    server.feed(&raw_echo(1, b"in time"));
    leave(&mut server);
    server.advance(Duration::from_millis(3_999));
    assert_eq!(server.frame_numbers(), [(REPLY, 1), (GOAWAY, 0)]);
    server.advance(Duration::from_millis(1));
    assert_eq!(server.frame_numbers(), [(REPLY, 1), (GOAWAY, 0), (CLOSE, 1)]);
    server.feed(&raw_echo(2, b"late"));
    assert_eq!(server.numbers(), [1]);
    server.feed(&close(1, 1000));
    server.feed_fin();
    let outcome = server.wait_for_end();
    assert!(clean(&outcome), "{outcome}");
    assert_eq!(outcome.account, tally(1, 1, 0));
}

/// clause 5.2: a client reports such requests as refused, so they can be sent again elsewhere.
#[test]
fn requests_above_the_servers_count_are_refused() {
    let mut client = greeted_client(3);
    client.feed(&[raw_reply(1, b"message"), goaway(0, 1001), close(1, 1001)].concat());
    client.feed_fin();
    let outcome = client.wait_for_end();
    assert_eq!(outcome.end, End::Clean(CloseCode::GOING_AWAY));
    assert_eq!(outcome.account, tally(1, 2, 0));
}

/// clause 5.3: a client acknowledges only the answers that it holds.
#[test]
fn close_with_missing_answers_is_a_violation() {
    for last in [0, 2, 3] {
        let mut client = greeted_client(2);
        client.feed(&[raw_reply(1, b"message"), close(last, 1000)].concat());
        client.feed_fin();
        let outcome = client.wait_for_end();
        let End::Violation(violation) = outcome.end else { panic!("CLOSE {last} with one answer") };
        assert_eq!(violation.to_string(), format!("expected CLOSE 1 (the answers so far), got CLOSE {last}"));
        assert_eq!(outcome.account, tally(1, 0, 1), "a lie moves no account");
    }
}

/// clause 5.3: the server accepts only its own count as a proof, and nothing before its own CLOSE.
#[test]
fn wrong_acknowledgement_is_a_violation() {
    for last in [0, 2] {
        let mut server = greeted_server();
        server.feed(&[raw_echo(1, b"x"), goaway(1, 1000), close(last, 1000)].concat());
        server.feed_fin();
        let outcome = server.wait_for_end();
        assert!(matches!(outcome.end, End::Violation(_)), "{outcome}");
        assert_eq!(outcome.account.answered, 0);
    }
    let mut early = greeted_server();
    early.feed(&close(0, 1000));
    early.feed_fin();
    assert_eq!(early.wait_for_end().end.to_string(), "violation (expected GOAWAY first, got CLOSE)");
}

/// clause 5.3: if the client's CLOSE is lost, the client is clean and the server is not.
#[test]
fn lost_close() {
    let mut pair = Pair::new();
    send(&mut pair, 1);
    leave(&mut pair.client);
    while pair.server.frame_numbers().last() != Some(&(CLOSE, 1)) {
        pair.carry_to_server(1);
        pair.carry_to_client(1);
    }
    pair.cut_to_server();
    let (client, server) = pair.finish(usize::MAX);
    assert!(clean(&client), "{client}");
    assert_eq!((server.end, server.account), (End::Truncated, tally(0, 0, 1)));
}

/// clause 5.4: the client's FIN follows its CLOSE at once, and the server's FIN follows the client's.
#[test]
fn client_sends_fin_first() {
    let mut pair = Pair::new();
    pair.exchange(usize::MAX);
    leave(&mut pair.client);
    while pair.client.fin.is_none() {
        assert!(pair.server.fin.is_none(), "TIME_WAIT stays off the server");
        assert!(pair.carry_to_server(1) | pair.carry_to_client(1));
    }
    assert!(pair.server.fin.is_none());
    let (client, server) = pair.finish(1);
    assert!(clean(&client) && clean(&server));
}

/// clause 5.4: a server that sends FIN first sets the flag in CLOSE, and the client waits for that FIN.
#[test]
fn server_sends_fin_first() {
    let mut pair = Pair::with(config_with(|config| config.first_fin = Role::Server));
    pair.exchange(usize::MAX);
    leave(&mut pair.client);
    while pair.server.fin.is_none() {
        assert!(pair.client.fin.is_none());
        assert!(pair.carry_to_server(1) || pair.carry_to_client(1));
    }
    assert!(pair.client.fin.is_none());
    let (_, _, body) = pair.server.frames().pop().expect("CLOSE");
    assert_eq!(body[2], 1, "the flag");
    let (client, server) = pair.finish(1);
    assert!(clean(&client) && clean(&server));
}

/// clause 5.4, clause 5.11: a side waits for the peer's FIN until the fin deadline. A missing FIN does not change the
/// verdict.
#[test]
fn fin_deadline() {
    let mut server = greeted_server();
    server.feed(&goaway(0, 1000));
    server.feed(&close(0, 1000));
    server.advance(Duration::from_millis(1_999));
    assert_eq!(server.fin, None);
    server.advance(Duration::from_millis(1));
    assert_eq!(server.fin, Some(Duration::from_secs(2)));
    let outcome = server.wait_for_end();
    assert!(clean(&outcome) && !server.aborted, "its transport goes on delivering what it holds");
    assert_eq!(server.now, Duration::from_secs(4), "linger is the last wait");
}

/// clause 5.5: after its own FIN, a side reads on and discards input, until the peer's FIN or the linger deadline.
#[test]
fn reading_on() {
    let mut client = greeted_client(1);
    fail(&mut client, CloseCode::INTERNAL);
    assert!(client.fin.is_some() && client.outcome.is_none() && !client.aborted);
    client.feed(&raw_reply(1, b"message"));
    assert_eq!(client.seen.last(), Some(&Seen::Discarded));
    assert!(client.outcome.is_none());
    client.advance(Duration::from_millis(1_999));
    assert!(client.outcome.is_none() && !client.aborted);
    client.feed_fin();
    assert!(client.outcome.is_some() && !client.aborted, "no abort when the peer's FIN comes in time");
}
