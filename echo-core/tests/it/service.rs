//! A server whose user answers, late and in any order.

use echo_core::{ApiMisuse, CloseCode, CloseReason, Config, Connection, Deadline, End, Failure, HIGH_WATER};
use sim_tests::in_memory::{EPOCH, HELLO, Pair, Seen, Solo, WELCOME, frames, raw, raw_echo, raw_reply};
use std::time::Duration;

const FAILED: u8 = 5;

fn service_with(change: impl FnOnce(&mut Config)) -> Connection {
    let mut config = Config::default();
    change(&mut config);
    Connection::service(config, EPOCH)
}

/// A client with `requests` requests, and a service that has received them.
fn asked(requests: u64) -> Pair {
    let mut pair = Pair::of(Connection::client(Config::default(), EPOCH), service_with(|_| ()));
    pair.exchange(usize::MAX);
    for seq in 1..=requests {
        pair.client.wish(|client, now| assert_eq!(client.send(now, &[seq as u8]), Ok(seq)));
    }
    pair.exchange(usize::MAX);
    pair
}

fn reply(pair: &mut Pair, seq: u64, payload: &[u8]) {
    pair.server.wish(|server, now| assert_eq!(server.reply(now, seq, payload), Ok(())));
    pair.exchange(usize::MAX);
}

fn unanswered(pair: &Pair) -> Vec<u64> {
    pair.server.connection.unanswered().collect()
}

/// clause 5.8, clause 4.6: answers that are ready before others wait for them.
#[test]
fn answers_leave_in_the_order_of_the_requests() {
    let mut pair = asked(4);
    assert_eq!(unanswered(&pair), [1, 2, 3, 4]);
    reply(&mut pair, 3, b"three");
    reply(&mut pair, 2, b"two");
    assert_eq!(pair.client.numbers(), [0_u64; 0]);
    assert_eq!(unanswered(&pair), [1, 4]);
    reply(&mut pair, 1, b"one");
    assert_eq!(pair.client.numbers(), [1, 2, 3]);
    reply(&mut pair, 4, b"four");
    let payloads = pair.client.seen.iter().filter_map(|seen| match seen {
        Seen::Reply(_, payload) => Some(payload.as_slice()),
        _ => None,
    });
    assert_eq!(payloads.collect::<Vec<_>>(), [&b"one"[..], b"two", b"three", b"four"]);
    assert_eq!(pair.server.connection.owned_memory(), 0, "who owes nothing owns nothing");
    pair.client.wish(|client, now| client.leave(now, CloseReason::normal()));
    let (client, server) = pair.finish(usize::MAX);
    assert_eq!((&client.end, client.account.answered), (&End::Clean(CloseCode::NORMAL), 4));
    assert_eq!((&server.end, server.account.answered), (&End::Clean(CloseCode::NORMAL), 4));
}

/// clause 4.10: a request that failed is answered, and the next one, too.
#[test]
fn one_request_fails_and_the_conversation_goes_on() {
    let mut pair = asked(3);
    let failure = Failure::new(CloseCode(4004), "no such key");
    pair.server.wish(|server, now| assert_eq!(server.fail_request(now, 2, failure), Ok(())));
    reply(&mut pair, 1, b"one");
    reply(&mut pair, 3, b"three");
    assert_eq!(
        pair.client.seen[1..].iter().filter(|seen| **seen != Seen::Discarded).cloned().collect::<Vec<_>>(),
        [
            Seen::Reply(1, b"one".to_vec()),
            Seen::Failed(2, 4004, "no such key".to_owned()),
            Seen::Reply(3, b"three".to_vec()),
        ]
    );
    pair.client.wish(|client, now| client.leave(now, CloseReason::normal()));
    let (client, server) = pair.finish(usize::MAX);
    assert!(client.end.is_clean() && server.end.is_clean());
    assert_eq!((client.account.answered, server.account.answered), (3, 3));
}

/// clause 4.10: on the wire it is FAILED and an empty REPLY, which a client that skips FAILED can read.
#[test]
fn a_failure_on_the_wire() {
    let mut server = Solo::new(service_with(|_| ()));
    server.feed(&[&HELLO[..], &raw_echo(1, b"x")].concat());
    server.wish(|server, now| {
        server.fail_request(now, 1, Failure::new(CloseCode::INTERNAL, "broken")).expect("it is owed");
    });
    let sent = frames(&server.sent[WELCOME.len()..]);
    assert_eq!(sent[0], (FAILED, 1, [&1011_u16.to_be_bytes()[..], &[0], b"broken"].concat()));
    assert_eq!((sent[1].0, sent[1].1, sent[1].2.len()), (2, 1, 24), "three stamps and no payload");
    assert_eq!(sent.len(), 2);
}

/// clause 4.10: FAILED comes once, for the next answer, and from a server.
#[test]
fn a_failure_out_of_place_is_a_violation() {
    let failed = |seq| raw(FAILED, seq, &[3, 243, 0]);
    let wrong = [
        (failed(2), "answer or FAILED 1", "FAILED 2"),
        ([failed(1), failed(1)].concat(), "answer 1", "FAILED 1"),
        ([raw_reply(1, b"a"), raw_reply(2, b"b"), failed(3)].concat(), "answer or FAILED 3", "FAILED 3"),
    ];
    for (bytes, expected, got) in wrong {
        let mut client = Solo::client();
        client.feed(&WELCOME);
        client.wish(|client, now| {
            client.send(now, b"a").expect("it is open");
            client.send(now, b"b").expect("it is open");
        });
        client.feed(&bytes);
        let verdict = client.connection.machine().verdict().map(ToString::to_string);
        assert_eq!(verdict, Some(format!("violation (expected {expected}, got {got})")));
    }
    let mut server = Solo::new(service_with(|_| ()));
    server.feed(&[&HELLO[..], &failed(1)].concat());
    let verdict = server.connection.machine().verdict().map(ToString::to_string);
    assert_eq!(verdict.as_deref(), Some("violation (expected a request, GOAWAY or CLOSE, got FAILED 1 from a client)"));
}

/// clause 6.4: calls that are wrong change nothing.
#[test]
fn what_is_not_owed_is_not_answered() {
    let mut pair = asked(2);
    let failure = || Failure::new(CloseCode::INTERNAL, "");
    pair.client.wish(|client, now| assert_eq!(client.reply(now, 1, b""), Err(ApiMisuse::NotAServer)));
    pair.server.wish(|server, now| {
        let limit = Config::default().limit;
        let too_big = ApiMisuse::TooBig { len: limit + 1, limit };
        assert_eq!(server.reply(now, 1, &vec![0; limit + 1]), Err(too_big));
        for seq in [0, 3, u64::MAX] {
            assert_eq!(server.reply(now, seq, b""), Err(ApiMisuse::NotOwed { seq }));
        }
        assert_eq!(server.reply(now, 2, b"two"), Ok(()));
        assert_eq!(server.fail_request(now, 2, failure()), Err(ApiMisuse::NotOwed { seq: 2 }));
        assert_eq!(server.reply(now, 1, b"one"), Ok(()));
        assert_eq!(server.reply(now, 1, b"one"), Err(ApiMisuse::NotOwed { seq: 1 }));
    });
    pair.exchange(usize::MAX);
    assert_eq!(pair.client.numbers(), [1, 2]);
    let mut echo = Solo::server();
    echo.feed(&[&HELLO[..], &raw_echo(1, b"x")].concat());
    echo.wish(|echo, now| assert_eq!(echo.reply(now, 1, b"x"), Err(ApiMisuse::NotOwed { seq: 1 })));
}

/// clause 5.2: CLOSE follows the last answer that is owed, however late.
#[test]
fn the_close_waits_for_the_answers() {
    let mut pair = asked(2);
    pair.client.wish(|client, now| client.leave(now, CloseReason::normal()));
    pair.exchange(usize::MAX);
    reply(&mut pair, 2, b"two");
    assert_eq!(pair.client.connection.machine().verdict(), None);
    reply(&mut pair, 1, b"one");
    assert_eq!(pair.client.connection.machine().verdict(), Some(&End::Clean(CloseCode::NORMAL)));
}

/// clause 5.2, clause 7.2: a server that owes at the drain deadline aborts, and what it accepted is unknown.
#[test]
fn a_service_that_owes_at_the_drain_deadline_aborts() {
    let mut pair = asked(3);
    reply(&mut pair, 1, b"one");
    pair.server.wish(|server, now| server.leave(now, CloseReason::new(CloseCode::GOING_AWAY, "")));
    let (client, server) = pair.finish(usize::MAX);
    assert_eq!(server.end, End::TimedOut(Deadline::Drain));
    assert_eq!((client.account.answered, client.account.refused, client.account.unknown), (1, 0, 2));
    assert_eq!(pair.server.connection.unanswered().count(), 0, "nobody can be answered any more");
    pair.server.wish(|server, now| assert_eq!(server.reply(now, 2, b""), Err(ApiMisuse::Ending)));
}

/// clause 5.7: FIN before CLOSE may be a half-close, so all that was accepted is answered.
#[test]
fn a_half_close_gets_its_answers() {
    let mut server = Solo::new(service_with(|_| ()));
    server.feed(&[&HELLO[..], &raw_echo(1, b"a"), &raw_echo(2, b"b")].concat());
    server.feed_fin();
    assert_eq!(server.fin, None);
    server.wish(|server, now| server.reply(now, 2, b"B").expect("it is owed"));
    server.wish(|server, now| server.reply(now, 1, b"A").expect("it is owed"));
    let kinds: Vec<_> = frames(&server.sent[WELCOME.len()..]).iter().map(|frame| (frame.0, frame.1)).collect();
    assert_eq!(kinds, [(2, 1), (2, 2), (4, 2)], "two answers and CLOSE");
    assert!(server.fin.is_some());
    assert_eq!(server.outcome.map(|outcome| outcome.end), Some(End::Truncated));
}

/// clause 4.9: no more is read while so much is owed.
#[test]
fn it_reads_no_more_than_it_may_owe() {
    let mut server = Solo::new(service_with(|config| config.unanswered = 2));
    server.feed(&[&HELLO[..], &raw_echo(1, b"a"), &raw_echo(2, b"b"), &raw_echo(3, b"c")].concat());
    assert_eq!(server.connection.unanswered().collect::<Vec<_>>(), [1, 2]);
    assert!(!server.connection.wants_input());
    server.wish(|server, now| server.reply(now, 2, b"b").expect("it is owed"));
    assert!(!server.connection.wants_input(), "the second answer waits for the first");
    server.wish(|server, now| server.reply(now, 1, b"a").expect("it is owed"));
    assert_eq!(server.connection.unanswered().collect::<Vec<_>>(), [3]);
}

/// A limit of 0 is one of 1, and no limit of a server that echoes.
#[test]
fn no_server_is_deaf() {
    let mut server = Solo::new(service_with(|config| config.unanswered = 0));
    server.feed(&[&HELLO[..], &raw_echo(1, b"a"), &raw_echo(2, b"b")].concat());
    assert_eq!(server.connection.unanswered().collect::<Vec<_>>(), [1]);
    let mut config = Config::default();
    config.unanswered = 0;
    let mut echo = Solo::new(Connection::server(config, EPOCH));
    echo.feed(&[&HELLO[..], &raw_echo(1, b"a")].concat());
    assert_eq!(frames(&echo.sent[WELCOME.len()..]).len(), 1);
}

/// clause 4.9: long requests count by their bytes, and so do answers that wait for others.
#[test]
fn it_reads_no_more_bytes_than_it_may_owe() {
    let mut server = Solo::new(service_with(|_| ()));
    let long = vec![7; HIGH_WATER / 2];
    server.feed(&[&HELLO[..], &raw_echo(1, &long), &raw_echo(2, &long), &raw_echo(3, b"c")].concat());
    assert_eq!(server.connection.unanswered().collect::<Vec<_>>(), [1, 2]);
    server.wish(|server, now| server.reply(now, 1, b"").expect("it is owed"));
    assert_eq!(server.connection.unanswered().collect::<Vec<_>>(), [2, 3]);
    let mut server = Solo::new(service_with(|_| ()));
    server.feed(&[&HELLO[..], &raw_echo(1, b"a"), &raw_echo(2, b"b")].concat());
    server.wish(|server, now| server.reply(now, 2, &[long.as_slice(), &long].concat()).expect("it is owed"));
    assert!(!server.connection.wants_input() && server.connection.owned_memory() > HIGH_WATER);
    server.wish(|server, now| server.reply(now, 1, b"a").expect("it is owed"));
    assert!(server.connection.wants_input() && server.connection.owned_memory() == 0);
}

/// clause 5.5: after a failed write nobody can be answered, and the reset that follows is read.
#[test]
fn a_failed_write_forgets_what_is_owed() {
    let mut server = Solo::new(service_with(|config| config.unanswered = 1));
    server.feed(&[&HELLO[..], &raw_echo(1, b"a")].concat());
    assert!(!server.connection.wants_input());
    server.wish(|server, now| server.handle_write_failed(now));
    assert!(server.connection.wants_input());
    assert_eq!(server.connection.unanswered().count(), 0);
    server.reset();
    assert_eq!(server.outcome.map(|outcome| outcome.end), Some(End::Reset));
}

/// clause 2.2: input that is not read is not quiet.
#[test]
fn a_line_is_not_cut_while_nothing_is_read() {
    let mut server = Solo::new(service_with(|_| ()));
    server.feed(b"one\ntw");
    server.stalled = true;
    server.wish(|server, now| server.reply(now, 1, &[b'1'; HIGH_WATER]).expect("it is owed"));
    assert!(!server.connection.wants_input(), "its output is full");
    server.advance(10 * Config::default().quiet);
    server.stalled = false;
    server.settle();
    server.feed(b"o\n");
    let requests = server.seen.iter().filter(|seen| matches!(seen, Seen::Request(..)));
    let expected = [Seen::Request(1, b"one\n".to_vec()), Seen::Request(2, b"two\n".to_vec())];
    assert_eq!(requests.cloned().collect::<Vec<_>>(), expected);
}

/// clause 8.1: who waits for an answer is not idle.
#[test]
fn a_peer_that_waits_is_not_idle() {
    let mut server = Solo::new(service_with(|_| ()));
    server.feed(&[&HELLO[..], &raw_echo(1, b"a")].concat());
    server.advance(Duration::from_secs(3600));
    assert!(!server.connection.machine().is_ending());
    server.wish(|server, now| server.reply(now, 1, b"a").expect("it is owed"));
    server.advance(Config::default().deadlines.idle - Duration::from_millis(1));
    assert!(!server.connection.machine().is_ending(), "the wait begins with the answer");
    server.advance(Duration::from_millis(1));
    assert!(server.connection.machine().is_ending());
}

/// clause 2.1, clause 2.5, clause 4.10: the plain wire. Messages that were cut off are requests, too.
#[test]
fn plain_messages_are_answered_by_the_user() {
    let mut server = Solo::new(service_with(|_| ()));
    server.feed(b"one\ntwo");
    server.advance(Config::default().quiet);
    server.feed(b"three");
    server.feed_fin();
    let requests = server.seen.iter().filter_map(|seen| match seen {
        Seen::Request(seq, message) => Some((*seq, message.as_slice())),
        _ => None,
    });
    assert_eq!(requests.collect::<Vec<_>>(), [(1, &b"one\n"[..]), (2, b"two"), (3, b"three")]);
    assert_eq!(server.fin, None);
    server.wish(|server, now| server.reply(now, 3, b"3").expect("it is owed"));
    server.wish(|server, now| server.reply(now, 1, b"1\n").expect("it is owed"));
    assert_eq!(server.fin, None);
    server.wish(|server, now| {
        server.fail_request(now, 2, Failure::new(CloseCode::INTERNAL, "two\nlines")).expect("it is owed");
    });
    let time = "[Mon Nov 23 08:16:00 2026] ";
    let expected = format!("{time}1\necho: two lines\n{time}3");
    assert_eq!(String::from_utf8_lossy(&server.sent), expected);
    assert!(server.fin.is_some(), "FIN follows the last answer");
}
