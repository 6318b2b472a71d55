//! Invalid input and the reaction to it (PROTOCOL.md, sections 1, 4 and 6): snapshots of the bytes sent back, the
//! outcome and the text of the violation.

use echo_core::error::escape;
use echo_core::frame::MAX_BODY;
use echo_core::{ApiMisuse, CloseCode, Config, Connection, End, HIGH_WATER};
use sim_tests::in_memory::{CLOSE, GOAWAY, HELLO, Pair, Seen, Solo, WELCOME, raw, raw_echo, raw_farewell, raw_reply};
use std::fmt::Write;

fn goaway(last: u64) -> Vec<u8> {
    raw_farewell(GOAWAY, last, 1000, 0, b"")
}

fn close(last: u64) -> Vec<u8> {
    raw_farewell(CLOSE, last, 1000, 0, b"")
}

/// A header that claims a body of `len` bytes, without the body.
fn claim(kind: u8, len: usize) -> Vec<u8> {
    [&u32::try_from(len).expect("24 bits").to_be_bytes()[1..], &[kind], &[0; 8]].concat()
}

fn framed(frames: &[Vec<u8>]) -> Vec<u8> {
    [HELLO.to_vec(), frames.concat()].concat()
}

fn welcomed(frames: &[Vec<u8>]) -> Vec<u8> {
    [WELCOME.to_vec(), frames.concat()].concat()
}

fn for_a_server() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("garbage after the first byte", b"\x89garbage".to_vec()),
        ("garbage after the preface", framed(&[b"GET / HTTP/1.1\r\n\r\n".to_vec()])),
        ("version 0", b"\x89ECHO\r\n\0".to_vec()),
        ("a server's preface", WELCOME.to_vec()),
        ("a length over the limit", framed(&[claim(1, 1024 * 1024 + 9)])),
        ("the longest length", framed(&[claim(1, MAX_BODY)])),
        ("an unknown frame over the limit", framed(&[claim(0x7F, MAX_BODY)])),
        ("a GOAWAY over the limit", framed(&[claim(GOAWAY, 127)])),
        ("an ECHO without a stamp", framed(&[raw(1, 1, b"short")])),
        ("a critical unknown frame", framed(&[raw(0x80, 1, b"")])),
        ("seq 0", framed(&[raw_echo(0, b"x")])),
        ("a gap in seq", framed(&[raw_echo(1, b"x"), raw_echo(3, b"x")])),
        ("seq again", framed(&[raw_echo(1, b"x"), raw_echo(1, b"x")])),
        ("the highest seq", framed(&[raw_echo(u64::MAX, b"x")])),
        ("a REPLY from a client", framed(&[raw_reply(1, b"x")])),
        ("a frame after CLOSE", framed(&[goaway(0), close(0), raw_echo(1, b"x")])),
        ("an unknown frame after CLOSE", framed(&[goaway(0), close(0), raw(9, 0, b"")])),
        ("an ECHO after GOAWAY", framed(&[goaway(0), raw_echo(1, b"x")])),
        ("a GOAWAY of requests that never came", framed(&[raw_echo(1, b"x"), goaway(2)])),
        ("a CLOSE out of order", framed(&[raw_echo(1, b"x"), close(1)])),
        ("a CLOSE with a code that is none", framed(&[raw_farewell(CLOSE, 0, 7, 0, b"")])),
        ("bad UTF-8 in a reason", framed(&[raw_farewell(CLOSE, 0, 1000, 0, b"\xC3(")])),
        ("an HTTP request", b"GET /index.html HTTP/1.1\r\nHost: x\r\n\r\n".to_vec()),
        ("a TLS hello", b"\x16\x03\x01\x00\xF4\x01\x00\n".to_vec()),
        ("telnet negotiation", b"\xFF\xFD\x03\xFF\xFB\x18\n".to_vec()),
        ("NULs", b"\0\0\0\n".to_vec()),
        ("nothing", vec![]),
    ]
}

fn for_a_client() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("a mirror", HELLO.to_vec()),
        ("a plain-only server", b"[Mon Nov 23 08:16:00 2026] \x89ECHO\r\n".to_vec()),
        ("an HTTP server", b"HTTP/1.1 400 Bad Request\r\n".to_vec()),
        ("a TLS server", b"\x15\x03\x03\x00\x02\x02\x46".to_vec()),
        ("a banner", b"SSH-2.0-OpenSSH_9.6\r\n".to_vec()),
        ("a higher version", b"\x89echo\r\n\x02".to_vec()),
        ("an ECHO from a server", welcomed(&[raw_echo(1, b"x")])),
        ("an answer to nothing", welcomed(&[raw_reply(2, b"x")])),
        ("an answer twice", welcomed(&[raw_reply(1, b"x"), raw_reply(1, b"x")])),
        ("answer 0", welcomed(&[raw_reply(0, b"x")])),
        ("a length over the limit", welcomed(&[claim(2, 1024 * 1024 + 25)])),
        ("a count that is too high", welcomed(&[raw_reply(1, b"x"), close(2)])),
        ("a count that is too low", welcomed(&[raw_reply(1, b"x"), close(0)])),
        ("a frame after CLOSE", welcomed(&[close(0), raw_reply(1, b"x")])),
        ("nonsense after CLOSE", welcomed(&[close(0), vec![0xFF; 30]])),
        ("GOAWAY twice", welcomed(&[goaway(0), goaway(0)])),
        ("an error, then more", welcomed(&[raw_farewell(CLOSE, 0, 1011, 0, b"disk\x1B[31m full"), vec![0xFF; 30]])),
        ("bad UTF-8 in a reason", welcomed(&[raw_farewell(GOAWAY, 0, 1000, 0, b"\xC3(")])),
        ("nothing", vec![]),
    ]
}

fn describe(text: &mut String, name: &str, mut solo: Solo, input: &[u8], slowly: bool) {
    match slowly {
        true => solo.feed_slowly(input),
        false => solo.feed(input),
    }
    solo.feed_fin();
    let outcome = solo.wait_for_end();
    let how = if solo.aborted { "aborted" } else { "FIN" };
    let _ = writeln!(text, "{name}\n    sent    {}\n    then    {how}\n    outcome {outcome}", escape(&solo.sent, 400));
}

/// Feeds every input of the list, at once and byte by byte. Both must have the same effect.
fn describe_all(solo: fn() -> Solo, inputs: Vec<(&'static str, Vec<u8>)>) -> String {
    let mut whole = String::new();
    for (name, input) in &inputs {
        let (mut at_once, mut slowly) = (String::new(), String::new());
        describe(&mut at_once, name, solo(), input, false);
        describe(&mut slowly, name, solo(), input, true);
        let same = slowly == at_once;
        whole += &at_once;
        if !same {
            let _ = writeln!(whole, "  byte by byte:\n{slowly}");
        }
    }
    whole
}

/// clause 1.5, clause 1.6, clause 2.4, clause 4.4, clause 4.6, clause 6.2, clause 6.3, clause 7.1.
#[test]
fn what_a_server_says_to_bad_input() {
    insta::assert_snapshot!(describe_all(Solo::server, for_a_server()));
}

/// clause 1.7, clause 4.6, clause 5.10, clause 6.3, clause 7.1: the client has sent one request.
#[test]
fn what_a_client_says_to_bad_input() {
    let asked = || {
        let mut client = Solo::client();
        client.wish(|client, now| {
            client.send(now, b"x").expect("open");
        });
        client
    };
    insta::assert_snapshot!(describe_all(asked, for_a_client()));
}

/// clause 4.4: a length over the limit is rejected before memory is allocated for it. A length within the limit needs
/// memory only for bytes that have arrived.
#[test]
fn a_claimed_length_costs_nothing() {
    let mut decoder = echo_core::frame::Decoder::new(MAX_BODY);
    let mut input = &claim(1, MAX_BODY - 16)[..];
    assert_eq!(decoder.decode(&mut input), Ok(None));
    assert!(input.is_empty() && decoder.is_partial());
    let debug = format!("{decoder:?}");
    assert!(debug.len() < 300, "twelve bytes are kept, not {MAX_BODY}");
}

/// clause 6.4: a wrong call changes nothing.
#[test]
fn misuse() {
    let mut client = Solo::client();
    client.feed(&WELCOME);
    let before = (client.sent.clone(), client.connection.machine().clone());
    let limit = Config::default().limit;
    client.wish(|client, now| {
        assert_eq!(client.send(now, &vec![0; limit + 1]), Err(ApiMisuse::TooBig { len: limit + 1, limit }));
    });
    assert_eq!((&client.sent, client.connection.machine()), (&before.0, &before.1));
    client.wish(|client, now| assert_eq!(client.send(now, &vec![0; limit]), Ok(1)));
    let mut server = Solo::server();
    server.wish(|server, now| assert_eq!(server.send(now, b"x"), Err(ApiMisuse::NotAClient)));
    client.wish(|client, now| {
        client.leave(now, echo_core::CloseReason::normal());
        assert_eq!(client.send(now, b"x"), Err(ApiMisuse::Ending));
    });
    assert_eq!(client.connection.machine().account().asked, 1);
}

/// clause 4.9: a client that does not read cannot make the server's buffers grow without limit.
#[test]
fn a_client_that_does_not_read() {
    let mut server = Solo::server();
    server.feed(&HELLO);
    server.stalled = true;
    let payload = [b'x'; 10_000];
    for seq in 1..=20 {
        server.feed(&raw_echo(seq, &payload));
    }
    assert!(!server.connection.wants_input());
    assert!(server.connection.waiting_output() < HIGH_WATER + payload.len() + 36);
    assert!(server.numbers().len() < 10);
    server.stalled = false;
    server.settle();
    assert_eq!(server.numbers().len(), 20, "it goes on when the client reads");
}

/// clause 5.5: a server that has failed reads on and discards, although its client does not read.
#[test]
fn a_deaf_server_reads_on() {
    let mut server = Solo::server();
    server.feed(&HELLO);
    server.stalled = true;
    server.feed(&raw_echo(1, &[b'x'; HIGH_WATER]));
    assert!(!server.connection.wants_input());
    server.wish(|server, now| server.fail(now, echo_core::CloseReason::new(CloseCode::INTERNAL, "")));
    assert!(server.connection.wants_input());
    server.feed(&raw_echo(2, b"x"));
    assert_eq!(server.numbers(), [1]);
}

/// After the transport failed to write, the connection does not loop, input still counts, and requests of which no byte
/// has left are refused (clause 5.8, clause 7.2).
#[test]
fn write_failures() {
    let mut connection = Connection::client(Config::default(), sim_tests::in_memory::EPOCH);
    connection.handle_write_failed(std::time::Duration::ZERO);
    let mut fresh = Solo::new(connection);
    assert_eq!((fresh.sent.len(), fresh.connection.waiting_output()), (0, 0));
    fresh.reset();
    assert_eq!(fresh.wait_for_end().end, End::Reset);

    let mut client = Solo::client();
    client.feed(&WELCOME);
    client.stalled = true;
    for _ in 0..2 {
        client.wish(|client, now| {
            client.send(now, b"message").expect("open");
        });
    }
    assert!(matches!(client.connection.poll_output(client.now), echo_core::Output::Transmit { .. }));
    client.connection.handle_sent(client.now, 5);
    client.stalled = false;
    client.connection.handle_write_failed(client.now);
    client.settle();
    client.feed(&raw_farewell(CLOSE, 0, 1001, 0, b""));
    client.feed_fin();
    let outcome = client.wait_for_end();
    assert_eq!((outcome.end, outcome.account.refused), (End::Clean(CloseCode::GOING_AWAY), 2));
}

/// clause 5.5: no side aborts if the peer's FIN arrives in time, not even after a violation.
#[test]
fn no_abort_without_need() {
    let mut pair = Pair::new();
    pair.exchange(usize::MAX);
    pair.client.sent.extend_from_slice(&raw(0x80, 0, b"a relay's mistake"));
    let (client, server) = pair.finish(3);
    assert_eq!((client.end.name(), server.end.name()), ("failed", "violation"));
    assert!(!pair.client.aborted && !pair.server.aborted);
}

/// A write that fails after the peer's FIN loses the answers to a half-closed client. On the plain wire nothing else
/// shows the loss, so this is a reset (clause 2.5, clause 7.3).
#[test]
fn a_write_that_fails_behind_the_peers_fin_is_a_reset() {
    let mut server = Solo::server();
    server.stalled = true;
    server.feed(b"hello\n");
    server.connection.handle_fin(server.now);
    server.connection.handle_write_failed(server.now);
    server.settle();
    assert_eq!(server.wait_for_end().end, End::Reset);
}

/// clause 5.1, clause 5.3: a GOAWAY or CLOSE that violates the protocol is discarded, and its close reason not
/// reported.
#[test]
fn words_that_are_violations_are_discarded() {
    let echo = || raw_echo(1, b"x");
    let leaving = vec![
        ("a GOAWAY of requests that never came", Solo::server(), framed(&[echo(), goaway(2)])),
        ("a GOAWAY that forgets a request", Solo::server(), framed(&[echo(), goaway(0)])),
        ("a client's second GOAWAY", Solo::server(), framed(&[goaway(0), goaway(0)])),
        ("a CLOSE before GOAWAY", Solo::server(), framed(&[echo(), close(1)])),
        ("a CLOSE before the server's", Solo::server(), framed(&[echo(), goaway(1), close(1)])),
        ("a server's second GOAWAY", Solo::client(), welcomed(&[goaway(0), goaway(0)])),
        ("a server's CLOSE with a wrong count", Solo::client(), welcomed(&[close(1)])),
        ("a server's second CLOSE", Solo::client(), welcomed(&[close(0), close(0)])),
    ];
    for (name, mut solo, input) in leaving {
        solo.feed(&input);
        assert_eq!(solo.seen.last(), Some(&Seen::Discarded), "{name}: {:?}", solo.seen);
        let told = |seen: &&Seen| matches!(seen, Seen::Leaving(_) | Seen::Close(_));
        assert!(solo.seen.iter().filter(told).count() <= 1, "{name}: {:?}", solo.seen);
        solo.feed_fin();
        assert_eq!(solo.wait_for_end().end.name(), "violation", "{name}");
    }
    let mut server = Solo::server();
    server.feed(&framed(&[echo(), goaway(1)]));
    server.feed(&close(0));
    assert_eq!(server.seen[2..], [Seen::Leaving(1000), Seen::Discarded], "a client's CLOSE with a wrong count");
}

/// clause 5.1, clause 5.3: a valid GOAWAY or CLOSE is reported.
#[test]
fn words_in_order_are_told() {
    let mut server = Solo::server();
    server.feed(&framed(&[goaway(0)]));
    server.feed(&close(0));
    assert_eq!(server.seen, [Seen::Greeted(1), Seen::Leaving(1000), Seen::Close(1000)]);
    let mut client = Solo::client();
    client.feed(&welcomed(&[goaway(0), close(0)]));
    assert_eq!(client.seen, [Seen::Greeted(1), Seen::Leaving(1000), Seen::Close(1000)]);
}
