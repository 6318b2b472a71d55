//! The plain wire: section 2 of PROTOCOL.md.

use crate::config_with;
use echo_core::plain::{LineDecoder, ctime_header, detect_foreign};
use echo_core::{CloseCode, CloseReason, Config, Connection, Deadline, End, Stamp};
use proptest::prelude::*;
use sim_tests::in_memory::{EPOCH, Seen, Solo};
use std::time::Duration;

const HEADER: &str = "[Mon Nov 23 08:16:00 2026] ";

fn server_with(config: Config) -> Solo {
    Solo::new(Connection::server(config, EPOCH))
}

fn sent(solo: &Solo) -> String {
    String::from_utf8(solo.sent.clone()).expect("ASCII in this test")
}

/// clause 2.3: dates that were checked by hand. A day of one digit is padded with a space.
#[test]
fn ctime() {
    let at = |seconds: i64| ctime_header(Stamp(seconds * 1_000_000_000), 0);
    assert_eq!(at(0), "[Thu Jan  1 00:00:00 1970] ");
    assert_eq!(at(-1), "[Wed Dec 31 23:59:59 1969] ");
    assert_eq!(at(951_782_400), "[Tue Feb 29 00:00:00 2000] ");
    assert_eq!(at(1_000_000_000), "[Sun Sep  9 01:46:40 2001] ");
    assert_eq!(ctime_header(EPOCH, 0), HEADER);
    assert_eq!(ctime_header(EPOCH, 5 * 3600 + 1800), "[Mon Nov 23 13:46:00 2026] ");
    assert_eq!(ctime_header(EPOCH, -9 * 3600), "[Sun Nov 22 23:16:00 2026] ");
    assert_eq!(ctime_header(Stamp(i64::MAX), 0), "[Fri Apr 11 23:47:16 2262] ");
    assert_eq!(ctime_header(Stamp(i64::MIN), 0), "[Tue Sep 21 00:12:43 1677] ");
    // The C library accepts zones of more than a day, so any offset is added.
    assert_eq!(ctime_header(EPOCH, -90_000), "[Sun Nov 22 07:16:00 2026] ");
    assert_eq!(ctime_header(EPOCH, i32::MAX), "[Sat Dec 11 11:30:07 2094] ");
    assert_eq!(ctime_header(Stamp(i64::MAX), i32::MAX), "[Thu May  1 03:01:23 2330] ");
}

/// clause 2.3: the header is in local time if the settings say so, and follows monotonic time.
#[test]
fn local_time() {
    let mut server = server_with(config_with(|config| config.utc_offset = |_| 3600));
    server.advance(Duration::from_secs(59));
    server.feed(b"a\n");
    assert_eq!(sent(&server), "[Mon Nov 23 09:16:59 2026] a\n");
}

/// clause 2.1: each line is answered in order with its own bytes, including the newline.
#[test]
fn lines() {
    let mut server = Solo::server();
    server.feed(b"one\ntwo\r\n\n");
    assert_eq!(sent(&server), format!("{HEADER}one\n{HEADER}two\r\n{HEADER}\n"));
    assert_eq!(server.numbers(), [1, 2, 3]);
}

/// clause 2.2: an incomplete line becomes a message after `quiet`, and not before.
#[test]
fn quiet() {
    let mut server = Solo::server();
    server.feed(b"hel");
    server.advance(Duration::from_millis(19));
    server.feed(b"lo");
    server.advance(Duration::from_millis(19));
    assert_eq!(sent(&server), "");
    server.advance(Duration::from_millis(1));
    assert_eq!(sent(&server), format!("{HEADER}hello"));
    server.advance(Duration::from_secs(1));
    assert_eq!(server.connection.traffic().messages, 1, "quiet alone is no message");
}

/// clause 2.2: with a `quiet` of zero, each read is one message, as in the classic program.
#[test]
fn each_read() {
    let mut server = server_with(config_with(|config| (config.quiet, config.limit) = (Duration::ZERO, 8)));
    server.feed(b"a\nb");
    server.feed(b"c");
    server.feed(b"12345678");
    server.feed(b"123456789");
    assert_eq!(
        sent(&server),
        ["a\nb", "c", "12345678", "12345678", "9"].map(|message| format!("{HEADER}{message}")).concat()
    );
}

/// clause 2.1: a line as long as the limit, newline included, is one message. With one byte more it is two.
#[test]
fn limit() {
    let server = |input: &[u8]| {
        let mut server = server_with(config_with(|config| config.limit = 4));
        server.feed(input);
        server.feed_fin();
        sent(&server)
    };
    assert_eq!(server(b"abc\n"), format!("{HEADER}abc\n"));
    assert_eq!(server(b"abcd\n"), format!("{HEADER}abcd{HEADER}\n"));
    assert_eq!(server(b"abcdefghi"), format!("{HEADER}abcd{HEADER}efgh{HEADER}i"));
}

/// clause 2.5: FIN ends the last line. The answer is sent before the server's FIN, and the end is unproven.
#[test]
fn end_of_input() {
    let mut server = Solo::server();
    server.feed(b"no newline");
    server.feed_fin();
    assert_eq!(sent(&server), format!("{HEADER}no newline"));
    assert!(server.fin.is_some() && !server.aborted);
    assert_eq!(server.wait_for_end().end, End::Unproven);
    let mut nothing = Solo::server();
    nothing.feed_fin();
    assert_eq!((sent(&nothing).as_str(), nothing.wait_for_end().end), ("", End::Unproven));
}

/// clause 2.4: every byte is legal and is echoed unchanged. Only the first byte must not be that of the framed wire.
#[test]
fn any_byte_is_legal() {
    let mut input: Vec<u8> = vec![0xFF, 0xFD, 0x18, 0, 0];
    input.extend(0..=u8::MAX);
    let mut server = server_with(config_with(|config| config.quiet = Duration::ZERO));
    server.feed(&input);
    assert_eq!(server.sent, [HEADER.as_bytes(), &input].concat());
}

/// clause 2.6: a refusal is one line, then FIN, whatever bytes the reason contains.
#[test]
fn refusals() {
    let refused = |close_reason| {
        let mut server = Solo::new(Connection::refusing_server(Config::default(), EPOCH, close_reason));
        server.feed(b"hello\n");
        assert!(server.fin.is_some());
        server.feed_fin();
        assert_eq!(server.wait_for_end().end.name(), "failed");
        assert!(server.numbers().is_empty());
        sent(&server)
    };
    assert_eq!(refused(CloseReason::new(CloseCode::TRY_LATER, "too many clients")), "echo: too many clients\n");
    assert_eq!(refused(CloseReason::new(CloseCode::TRY_LATER, "")), "echo: try again later\n");
    assert_eq!(refused(CloseReason::new(CloseCode::TRY_LATER, "a\nb\rc")), "echo: a b c\n");
}

/// clause 8.1: an idle plain client gets FIN, and the outcome names the deadline.
#[test]
fn idle() {
    let mut server = Solo::server();
    server.feed(b"a\n");
    let outcome = server.wait_for_end();
    assert_eq!((outcome.end, outcome.account.unknown), (End::TimedOut(Deadline::Idle), 1));
    assert_eq!(server.fin, Some(Duration::from_secs(300)));
}

/// clause 8.1: the answer deadline of a plain client does not run after something has arrived; the idle deadline does.
#[test]
fn client_at_its_prompt() {
    let mut client = Solo::new(Connection::plain_client(Config::default(), EPOCH));
    let ask = |client: &mut Solo| {
        client.wish(|client, now| {
            client.send(now, b"hi\n").expect("open");
        });
    };
    ask(&mut client);
    client.feed(b"[Mon Nov 23 08:16:00 2026] hi\n");
    client.advance(Duration::from_millis(299_999));
    assert_eq!((client.outcome.as_ref(), client.fin), (None, None));
    assert_eq!(client.seen.len(), 1);
    let mut idle = Solo::new(client.connection.clone());
    idle.now = client.now;
    assert_eq!(idle.wait_for_end().end, End::TimedOut(Deadline::Idle));
    ask(&mut client);
    client.advance(Duration::from_millis(29_999));
    assert_eq!(client.fin, None);
    assert_eq!(client.wait_for_end().end, End::TimedOut(Deadline::Answer));
}

/// clause 2.5, clause 2.7: a plain client's end is unproven and its requests are unknown, also without any error.
#[test]
fn client() {
    let mut client = Solo::new(Connection::plain_client(Config::default(), EPOCH));
    client.wish(|client, now| {
        client.send(now, b"hi\n").expect("open");
        client.leave(now, CloseReason::normal());
    });
    assert_eq!(client.sent, b"hi\n");
    client.feed(b"answer");
    assert_eq!(client.seen, [Seen::Text(b"answer".to_vec())], "a half-closed client reads on");
    client.feed_fin();
    let outcome = client.wait_for_end();
    assert_eq!((outcome.end, outcome.account.unknown), (End::Unproven, 1));
}

/// clause 1.5: an HTTP request and a TLS hello are refused by name, but only as the first message.
#[test]
fn foreign_clients() {
    for (input, name) in [
        (&b"GET / HTTP/1.1\r\n"[..], "an HTTP request (GET / HTTP/1.1)"),
        (b"OPTIONS * HTTP/2.0\n", "an HTTP request (OPTIONS * HTTP/2.0)"),
        (b"\x16\x03\x01\x02\x00\x01", "a TLS hello"),
        (b"PROXY TCP4 192.0.2.7 192.0.2.1 56324 2012\r\n", "a PROXY protocol header (version 1)"),
        (b"PROXY TCP6 2001:db8::7 2001:db8::1 1 2\r\n", "a PROXY protocol header (version 1)"),
        (b"PROXY UNKNOWN\r\n", "a PROXY protocol header (version 1)"),
    ] {
        let violation = detect_foreign(input).expect("foreign");
        assert_eq!(violation.to_string(), format!("expected a line of text or the preface of echo/1, got {name}"));
        let mut server = Solo::server();
        server.feed(input);
        server.advance(Duration::from_millis(20));
        assert_eq!(sent(&server), format!("echo: {violation}\n"));
        assert!(server.connection.traffic().messages == 0 && server.fin.is_some());
        server.feed_fin();
        assert_eq!(server.wait_for_end().end, End::Violation(violation));
        let mut later = Solo::server();
        later.feed(b"hello\n");
        later.feed(input);
        later.advance(Duration::from_millis(20));
        assert_eq!(later.connection.traffic().messages, 2);
    }
    for own in [
        &b"get / HTTP/1.1\n"[..],
        b"GET /\n",
        b"HTTP/1.1\n",
        b"GET HTTP/1.1\n",
        b"\x16\x04\x01",
        b"\x16\x03",
        b"PROXY\n",
        b"proxy TCP4 \n",
        b"PROXY servers are\n",
        b"\n",
        b"",
    ] {
        assert_eq!(detect_foreign(own), None);
    }
}

/// clause 1.5: it begins with two empty lines, which are text. Its third line is detected, wherever the input is cut.
#[test]
fn a_proxy_header_of_version_2() {
    let header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0caddresses...";
    let end = "echo: expected a line of text or the preface of echo/1, got a PROXY protocol header (version 2)\n";
    for piece in 1..=header.len() {
        let mut server = Solo::server();
        header.chunks(piece).for_each(|piece| server.feed(piece));
        server.advance(Duration::from_millis(20));
        let said = sent(&server);
        assert!(said.ends_with(end) && !said.contains("QUIT"), "in pieces of {piece}: {said:?}");
        assert_eq!(server.connection.traffic().messages, 2);
        assert!(server.fin.is_some());
    }
    // Text that only begins like the header is echoed.
    for text in [&b"\r\n\r\nhello\n"[..], b"\r\n", b"\r\nhello\n\0\r\n", b"\0\r\n", b"\r\n\r\n\r\n\0\r\n"] {
        let mut server = Solo::server();
        server.feed(text);
        server.advance(Duration::from_millis(20));
        let lines = text.iter().filter(|byte| **byte == b'\n').count() as u64;
        assert_eq!(server.connection.traffic().messages, lines, "{text:?}");
    }
}

proptest! {
    /// clause 2.1: wherever the input is cut, the messages are the same, none is longer than the limit, and no byte is
    /// lost.
    #[test]
    fn any_cut_gives_the_same_messages(
        bytes in prop::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..60),
        limit in 1_usize..10,
        size in 1_usize..7,
    ) {
        let split = |size: usize| {
            let mut splitter = LineDecoder::new(limit);
            let mut messages: Vec<Vec<u8>> = Vec::new();
            for piece in bytes.chunks(size) {
                let mut input = piece;
                while let Some(message) = splitter.line(&mut input) {
                    messages.push(message.to_vec());
                }
            }
            messages.extend(splitter.flush().map(<[u8]>::to_vec));
            messages
        };
        let whole = split(bytes.len().max(1));
        prop_assert_eq!(&split(size), &whole);
        prop_assert_eq!(whole.concat(), bytes.clone());
        prop_assert!(whole.iter().all(|message| !message.is_empty() && message.len() <= limit));
    }
}

/// Clause 1.3: a server without the plain wire refuses its clients by name.
#[test]
fn a_server_without_the_plain_wire_says_so() {
    for (bytes, got) in [
        (&b"hello\n"[..], r"hello\n"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "an HTTP request (GET / HTTP/1.1)"),
        (b"\x16\x03\x01\x02\x00\x01", "a TLS hello"),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", "a PROXY protocol header (version 1)"),
        (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", "a PROXY protocol header (version 2)"),
        // Only what has arrived can be named.
        (b"G", "G"),
    ] {
        let mut config = Config::default();
        config.plain_wire = false;
        let mut server = server_with(config);
        server.feed(bytes);
        assert_eq!(sent(&server), format!("echo: expected the preface of echo/1, got {got}\n"));
        assert!(server.connection.machine().account().asked == 0 && server.fin.is_some());
        server.feed_fin();
        assert!(matches!(server.wait_for_end().end, End::Violation(_)));
    }
}
