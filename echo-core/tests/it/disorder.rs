//! The close contract out of its usual order (PROTOCOL.md, clauses 5.6 to 5.12): errors, half-closes and deadlines.

use crate::config_with;
use crate::rules::{ask, clean, close, fail, goaway, greeted_client, greeted_server, leave, send, tally};
use echo_core::{CloseCode, CloseReason, Config, Connection, Deadline, End, Role, Side};
use sim_tests::in_memory::{CLOSE, ECHO, EPOCH, HELLO, Pair, REPLY, Solo, WELCOME, raw_echo, raw_farewell, raw_reply};
use std::time::Duration;

/// clause 5.6: a refusal sends its reason first; the client reports it, and no request ran.
#[test]
fn refusal() {
    let refusal = CloseReason::new(CloseCode::TRY_LATER, "too many");
    let server = Connection::refusing_server(Config::default(), EPOCH, refusal);
    let mut pair = Pair::of(Connection::client(Config::default(), EPOCH), server);
    send(&mut pair, 2);
    let (client, server) = pair.finish(3);
    assert_eq!(pair.server.sent, [&WELCOME[..], &raw_farewell(CLOSE, 0, 1013, 0, b"too many")].concat());
    let failed = End::Failed { code: CloseCode::TRY_LATER, reason: "too many".into() };
    assert_eq!((client.end, client.account), (failed.clone(), tally(0, 2, 0)));
    assert_eq!((server.end, server.account.answered), (failed, 0));
    assert!(pair.server.numbers().is_empty());
}

/// clause 5.6, clause 5.4: whichever side sends the error, the side that the setting names sends FIN first.
#[test]
fn fin_order_after_an_error() {
    for first_fin in Role::BOTH {
        let mut pair = Pair::with(config_with(|config| config.first_fin = first_fin));
        send(&mut pair, 1);
        pair.exchange(usize::MAX);
        fail(&mut pair.server, CloseCode::INTERNAL);
        assert_eq!(pair.server.fin.is_some(), first_fin == Role::Server);
        pair.carry_to_client(usize::MAX);
        assert_eq!(pair.client.fin.is_some(), first_fin == Role::Client);
        let (client, server) = pair.finish(1);
        let failed = End::Failed { code: CloseCode::INTERNAL, reason: "because".into() };
        assert_eq!((&client.end, &server.end), (&failed, &failed));
        assert_eq!((client.account, client.began, server.began), (tally(1, 0, 0), Side::Peer, Side::Local));
        assert_eq!(pair.client.frame_numbers(), [(ECHO, 1)], "who gets an error says no CLOSE");
    }
    let mut pair = Pair::new();
    pair.exchange(usize::MAX);
    fail(&mut pair.client, CloseCode::INTERNAL);
    assert!(pair.client.fin.is_some());
    pair.carry_to_server(WELCOME.len() + raw_farewell(CLOSE, 0, 0, 0, b"because").len());
    assert_eq!((pair.server.fin, pair.server.frame_numbers()), (None, vec![]), "the server waits for the client's FIN");
    let (client, server) = pair.finish(1);
    assert_eq!((client.end.name(), server.end.name()), ("failed", "failed"));
}

/// clause 5.6: a client's error contains which answers it holds.
#[test]
fn account_holds_after_an_error() {
    let mut server = greeted_server();
    server.feed(&[raw_echo(1, b"a"), raw_echo(2, b"b")].concat());
    server.feed(&close(1, 1011));
    server.feed_fin();
    let outcome = server.wait_for_end();
    assert_eq!((outcome.end.name(), outcome.account), ("failed", tally(1, 0, 1)));
    let mut client = greeted_client(3);
    client.feed(&[raw_reply(1, b"message"), close(2, 1011)].concat());
    client.feed_fin();
    let outcome = client.wait_for_end();
    assert_eq!((outcome.end.name(), outcome.account), ("failed", tally(1, 1, 1)));
}

/// clause 5.7: after a half-close, every complete ECHO is answered, then CLOSE 1002 and FIN follow.
#[test]
fn half_close() {
    let mut server = greeted_server();
    let cut = raw_echo(3, b"cut short");
    server.feed(&[raw_echo(1, b"a"), raw_echo(2, b"b"), cut[..cut.len() - 1].to_vec()].concat());
    server.feed_fin();
    assert_eq!(server.frame_numbers(), [(REPLY, 1), (REPLY, 2), (CLOSE, 2)]);
    let (_, _, body) = server.frames().pop().expect("CLOSE");
    assert_eq!(body, [&1002_u16.to_be_bytes()[..], &[0], b"FIN before CLOSE"].concat());
    let outcome = server.wait_for_end();
    assert_eq!((outcome.end, outcome.account), (End::Truncated, tally(0, 0, 2)));
    assert!(server.fin.is_some() && !server.aborted);
}

/// clause 5.7: a client whose server sends FIN before CLOSE ends truncated; with FIN after CLOSE it does not.
#[test]
fn servers_fin() {
    let mut client = greeted_client(2);
    client.feed(&raw_reply(1, b"message"));
    client.feed_fin();
    let outcome = client.wait_for_end();
    assert_eq!((outcome.end, outcome.account), (End::Truncated, tally(1, 0, 1)));
    assert_eq!(client.frame_numbers().last(), Some(&(CLOSE, 1)));
    let mut client = greeted_client(0);
    client.feed(&close(0, 1001));
    client.feed_fin();
    assert!(clean(&client.wait_for_end()));
}

/// clause 5.8, clause 1.8: before a CLOSE, requests of which no byte has left are removed and refused.
#[test]
fn unsent_requests_are_taken_back() {
    let mut client = greeted_client(1);
    client.stalled = true;
    for _ in 0..2 {
        client.wish(|client, now| {
            client.send(now, &[7; 5000]).expect("open");
        });
    }
    leave(&mut client);
    client.feed(&[raw_reply(1, b"message"), close(1, 1001)].concat());
    client.stalled = false;
    client.settle();
    assert_eq!(client.frame_numbers(), [(ECHO, 1), (CLOSE, 1)], "neither the requests nor their GOAWAY");
    client.feed_fin();
    assert_eq!(client.wait_for_end().account, tally(1, 2, 0));
}

/// clause 5.8: a request of which a byte has left stays in the queue, complete.
#[test]
fn begun_requests_stay_whole() {
    let mut client = greeted_client(0);
    client.stalled = true;
    ask(&mut client, 2);
    assert!(matches!(client.connection.poll_output(client.now), echo_core::Output::Transmit { .. }));
    let (first, _) = (raw_echo(1, b"message").len(), client.connection.handle_sent(client.now, 1));
    assert_eq!(client.connection.waiting_output(), 2 * first - 1);
    client.feed(&close(0, 1001));
    assert_eq!(client.connection.waiting_output(), first - 1 + close(0, 1000).len());
    client.stalled = false;
    client.feed_fin();
    assert_eq!(client.wait_for_end().account, tally(0, 2, 0), "the server's count refuses the first as well");
}

/// clause 5.8: the limit between sent and unsent requests is exact to one byte.
#[test]
fn the_border_between_begun_and_not() {
    for (extra, begun) in [(0, 1), (1, 2)] {
        let mut client = greeted_client(0);
        client.stalled = true;
        ask(&mut client, 2);
        assert!(matches!(client.connection.poll_output(client.now), echo_core::Output::Transmit { .. }));
        client.connection.handle_sent(client.now, raw_echo(1, b"message").len() + extra);
        assert_eq!(client.connection.machine().account().begun, begun);
        client.wish(Connection::abort);
        assert_eq!(client.wait_for_end().account, tally(0, 2 - begun, begun));
    }
}

/// clause 5.9: in every state that is not the end, a connection has a deadline.
#[test]
fn a_server_never_waits_without_a_deadline() {
    let steps: [fn(&mut Solo); 6] = [
        |_| (),
        |server| server.feed(&HELLO[..3]),
        |server| server.feed(&HELLO),
        |server| server.feed(&[&HELLO[..], &raw_echo(1, b"x")].concat()),
        |server| server.feed(&[&HELLO[..], &goaway(0, 1000)].concat()),
        |server| server.feed(b"plain"),
    ];
    for step in steps {
        let mut server = Solo::server();
        step(&mut server);
        assert!(server.connection.next_time().is_some());
        server.wait_for_end();
        assert!(server.now <= Duration::from_secs(300 + 10));
    }
}

/// clause 5.10: nothing follows a CLOSE: no answers, and no second CLOSE after a further error.
#[test]
fn one_close() {
    let mut server = greeted_server();
    server.feed(&goaway(0, 1000));
    assert_eq!(server.frame_numbers(), [(CLOSE, 0)]);
    server.feed(&raw_echo(1, b"against the rules"));
    fail(&mut server, CloseCode::INTERNAL);
    leave(&mut server);
    server.feed(&[0xFF; 40]);
    server.feed_fin();
    let outcome = server.wait_for_end();
    assert_eq!(server.frame_numbers(), [(CLOSE, 0)]);
    assert_eq!(outcome.end.to_string(), "violation (expected CLOSE or FIN, got request 1)", "the first verdict stands");
}

/// clause 5.11, clause 7.4: a clean end stays clean after a reset, a late FIN and an abort, but not after data that the
/// peer sends behind its CLOSE.
#[test]
fn only_a_violation_overrules_clean() {
    let ended = || {
        let mut client = greeted_client(0);
        leave(&mut client);
        client.feed(&close(0, 1000));
        client
    };
    let mut reset = ended();
    reset.reset();
    assert!(clean(&reset.wait_for_end()));
    let mut aborted = ended();
    aborted.wish(Connection::abort);
    assert!(clean(&aborted.wait_for_end()));
    let mut late = ended();
    assert!(clean(&late.wait_for_end()));
    for more in [raw_reply(1, b"more"), close(0, 1000), vec![0xFF; 12], sim_tests::in_memory::raw(9, 0, b"")] {
        let mut broken = ended();
        broken.feed(&more);
        broken.feed(&more);
        broken.feed_fin();
        assert_eq!(broken.wait_for_end().end.name(), "violation");
    }
}

/// clause 5.12: an idle client gets GOAWAY, and ends clean.
#[test]
fn idle() {
    let mut pair = Pair::new();
    send(&mut pair, 1);
    pair.exchange(usize::MAX);
    pair.step();
    assert_eq!(pair.server.now, Duration::from_secs(300));
    let (client, server) = pair.finish(usize::MAX);
    assert_eq!((client.end, server.end), (End::Clean(CloseCode::GOING_AWAY), End::Clean(CloseCode::GOING_AWAY)));
    assert_eq!(pair.client.now, Duration::from_secs(300), "no deadline of the ending was needed");
}

/// clause 5.9, clause 6.2: a client that gets no answer sends 1008, and so does one that gets no CLOSE.
#[test]
fn a_silent_server() {
    let mut client = greeted_client(1);
    let outcome = client.wait_for_end();
    assert_eq!((outcome.end, outcome.account), (End::TimedOut(Deadline::Answer), tally(0, 0, 1)));
    assert_eq!(client.now, Duration::from_secs(30 + 2));
    let mut client = greeted_client(1);
    leave(&mut client);
    assert_eq!(client.wait_for_end().end, End::TimedOut(Deadline::Drain));
    assert_eq!(client.now, Duration::from_secs(4 + 2));
    let (_, _, body) = client.frames().pop().expect("CLOSE");
    assert_eq!(body, [&1008_u16.to_be_bytes()[..], &[0], b"drain deadline"].concat());
}

/// clause 6.1: an end by leaving never has the code of an error, nor the reverse, whatever code the user gives.
#[test]
fn codes_fit_what_they_say() {
    for (given, sent) in [(1012, 1012), (1013, 1001), (4000, 1001)] {
        let mut pair = Pair::new();
        send(&mut pair, 1);
        pair.exchange(usize::MAX);
        pair.server.wish(|server, now| server.leave(now, CloseReason::new(CloseCode(given), "why")));
        let (client, server) = pair.finish(usize::MAX);
        assert_eq!((client.end, server.end), (End::Clean(CloseCode(sent)), End::Clean(CloseCode(sent))), "{given}");
    }
    for (given, sent) in [(1013, 1013), (1000, 1011), (1012, 1011)] {
        let mut pair = Pair::new();
        send(&mut pair, 1);
        pair.exchange(usize::MAX);
        pair.server.wish(|server, now| server.fail(now, CloseReason::new(CloseCode(given), "why")));
        let (client, server) = pair.finish(usize::MAX);
        let failed = End::Failed { code: CloseCode(sent), reason: "why".into() };
        assert_eq!((client.end, server.end), (failed.clone(), failed), "{given}");
    }
}

/// clause 5.3, clause 7.3: acknowledging a CLOSE or answers that this side has not sent is a violation.
#[test]
fn acknowledged_before_it_was_sent() {
    let mut server = greeted_server();
    server.feed(&[raw_echo(1, b"a"), goaway(1, 1000), close(1, 1000)].concat());
    server.feed_fin();
    let outcome = server.wait_for_end();
    assert_eq!((outcome.end.name(), outcome.account), ("violation", tally(0, 0, 1)));
    let mut server = greeted_server();
    server.feed(&[raw_echo(1, b"a"), close(1, 1011)].concat());
    server.feed_fin();
    let outcome = server.wait_for_end();
    assert_eq!((outcome.end.name(), outcome.account), ("failed", tally(0, 0, 1)), "the claim changes no account");
}

/// clause 7.3: an answer that was dropped after a transport failure was not sent, whatever the peer claims.
#[test]
fn acknowledged_and_never_sent() {
    let mut server = greeted_server();
    server.feed(&raw_echo(1, b"a"));
    server.stalled = true;
    server.feed(&raw_echo(2, b"b"));
    server.wish(|server, now| server.handle_write_failed(now));
    server.feed(&close(2, 1011));
    server.reset();
    assert_eq!(server.wait_for_end().account, tally(0, 0, 2), "the claim changes no account");
}

/// clause 5.6, clause 5.8: after the server's error only FIN is sent, and requests that had not left are refused.
#[test]
fn an_error_takes_back_what_has_not_left() {
    let mut client = greeted_client(0);
    client.stalled = true;
    for _ in 0..2 {
        client.wish(|client, now| assert!(client.send(now, &[b'x'; 300_000]).is_ok()));
    }
    client.feed(&close(0, 1013));
    assert_eq!(client.connection.waiting_output(), 0);
    client.stalled = false;
    client.settle();
    assert!(client.fin.is_some(), "at once");
    client.feed_fin();
    assert_eq!(client.wait_for_end().account, tally(0, 2, 0));
}

/// clause 5.6, clause 5.8: the same while the client waits for the FIN of a server that sends it first, with or without
/// the server's preface in the same read.
#[test]
fn an_error_with_the_fin_flag_takes_back_what_has_not_left() {
    for greeted in [true, false] {
        let mut client = if greeted { greeted_client(0) } else { Solo::client() };
        client.stalled = greeted;
        client.wish(|client, now| assert!(client.send(now, b"never sent").is_ok()));
        let error = raw_farewell(CLOSE, 0, 1013, 1, b"");
        client.feed(&if greeted { error } else { [&WELCOME[..], &error].concat() });
        assert_eq!(client.connection.waiting_output(), 0);
        client.stalled = false;
        client.settle();
        assert_eq!(
            (client.frame_numbers(), client.fin),
            (vec![], None),
            "it waits for the server's FIN, and says nothing"
        );
        client.feed_fin();
        assert_eq!(client.wait_for_end().account, tally(0, 1, 0));
    }
}

/// clause 8.1: the linger deadline begins when FIN was sent, not while answers wait in front of it.
#[test]
fn linger_begins_with_fin() {
    let mut server = Solo::server();
    server.stalled = true;
    server.feed(&[b"x".repeat(50_000), b"\n".to_vec()].concat());
    server.wish(|server, now| server.leave(now, CloseReason::normal()));
    server.advance(Duration::from_secs(7));
    assert_eq!((server.fin, server.aborted), (None, false));
    server.stalled = false;
    server.settle();
    assert_eq!(server.fin, Some(server.now), "every byte of the answer has left, and FIN behind it");
    server.advance(Duration::from_millis(999));
    assert!(!server.aborted);
    assert_eq!(server.wait_for_end().end, End::TimedOut(Deadline::Shutdown), "the whole ending is capped");
}

/// clause 5.9: a deadline of length zero passes, and the connection still ends.
#[test]
fn deadlines_of_no_length() {
    for deadline in Deadline::ALL {
        let mut config = Config::default();
        config.deadlines.set(deadline, Duration::ZERO);
        let mut client = Solo::new(Connection::client(config, sim_tests::in_memory::EPOCH));
        client.advance(Duration::from_millis(1));
        client.feed(&WELCOME);
        client.wish(|client, now| client.leave(now, CloseReason::normal()));
        client.wait_for_end();
        let mut server = Solo::new(Connection::server(config, sim_tests::in_memory::EPOCH));
        server.feed(&HELLO);
        server.wish(|server, now| server.leave(now, CloseReason::normal()));
        server.wait_for_end();
    }
}
