//! Prefaces: section 1 of PROTOCOL.md.

use echo_core::Role;
use echo_core::preface::{LENGTH, PrefaceDecoder, VERSION, preface};
use sim_tests::in_memory::{CLOSE, HELLO, Seen, Solo, WELCOME};

/// clause 1.2: the bytes.
#[test]
fn bytes() {
    assert_eq!(preface(Role::Client, 1), [0x89, 0x45, 0x43, 0x48, 0x4F, 0x0D, 0x0A, 1]);
    assert_eq!(preface(Role::Server, 7), [0x89, 0x65, 0x63, 0x68, 0x6F, 0x0D, 0x0A, 7]);
    assert_eq!(VERSION, 1);
}

/// clause 1.4: the server answers with the lower version. A client rejects 0 and a version that it did not offer.
#[test]
fn versions() {
    for offered in 0..=u8::MAX {
        let mut server = PrefaceDecoder::new(Role::Client);
        let chosen = server.take(&mut preface(Role::Client, offered).as_slice());
        match offered {
            0 => assert!(chosen.is_err()),
            1.. => assert_eq!(chosen, Ok(Some(VERSION))),
        }
        let mut client = PrefaceDecoder::new(Role::Server);
        let accepted = client.take(&mut preface(Role::Server, offered).as_slice());
        assert_eq!(accepted.is_ok(), offered == VERSION, "version {offered}");
    }
    let mut server = Solo::server();
    server.feed(&preface(Role::Client, 9));
    assert_eq!((server.sent, server.seen), (WELCOME.to_vec(), vec![Seen::Greeted(1)]));
}

/// clause 1.2: a preface is decoded in pieces of every size, and the bytes after it are not consumed.
#[test]
fn pieces() {
    for role in Role::BOTH {
        for at in 0..LENGTH {
            let bytes = [&preface(role, VERSION)[..], b"rest"].concat();
            let (mut one, mut two) = bytes.split_at(at);
            let mut greeting = PrefaceDecoder::new(role);
            assert_eq!(greeting.take(&mut one), Ok(None));
            assert_eq!(greeting.take(&mut two), Ok(Some(VERSION)));
            assert_eq!((one, two), (&b""[..], &b"rest"[..]));
        }
    }
}

/// clause 1.1, clause 1.3: the server sends nothing before the first byte, which selects the wire.
#[test]
fn the_first_byte_decides() {
    assert!(Solo::server().sent.is_empty());
    for first in 0..=u8::MAX {
        let mut server = Solo::server();
        assert_eq!(server.connection.is_plain(), None);
        server.feed(&[first]);
        assert_eq!(server.connection.is_plain(), Some(first != 0x89), "first byte {first:#04x}");
        server.feed(b"\n");
        assert_eq!(server.sent.starts_with(b"["), first != 0x89);
    }
    let mut leaving = Solo::server();
    leaving.wish(|server, now| server.leave(now, echo_core::CloseReason::normal()));
    assert!(leaving.fin.is_some());
    leaving.feed(&HELLO);
    assert!(leaving.sent.is_empty(), "nothing is said to a client that has not spoken");
}

/// clause 1.6: a preface with any wrong byte gets the server's preface and CLOSE 1002, and is not echoed.
#[test]
fn corrupt_at_each_byte() {
    for at in 1..LENGTH {
        for wrong in [0, b'x', 0xFF] {
            let mut bytes = HELLO;
            bytes[at] = wrong;
            if at + 1 == LENGTH && wrong != 0 {
                continue;
            }
            let mut server = Solo::server();
            server.feed(&bytes);
            assert_eq!(server.sent[..8], WELCOME);
            assert_eq!(server.frame_numbers(), [(CLOSE, 0)], "byte {at}");
            let (_, _, body) = server.frames().remove(0);
            assert_eq!(body[..2], 1002_u16.to_be_bytes());
            assert_eq!(server.fin, None, "the client is to send FIN first");
            server.feed(b"more of whatever it is");
            server.feed_fin();
            assert_eq!(server.wait_for_end().end.name(), "violation");
            assert_eq!(server.frame_numbers(), [(CLOSE, 0)]);
        }
    }
}

/// clause 1.6: a preface that is cut at each byte, by FIN and by the detect deadline.
#[test]
fn cut_at_each_byte() {
    for at in 1..LENGTH {
        let mut server = Solo::server();
        server.feed(&HELLO[..at]);
        server.feed_fin();
        assert_eq!((server.frame_numbers(), server.wait_for_end().end.name()), (vec![(CLOSE, 0)], "truncated"));
        let mut server = Solo::server();
        server.feed(&HELLO[..at]);
        let outcome = server.wait_for_end();
        assert_eq!(
            (server.frame_numbers(), outcome.end.to_string()),
            (vec![(CLOSE, 0)], "timed out (detect)".to_owned())
        );
    }
}

/// clause 1.7: a client's error names the protocol that it has met.
#[test]
fn what_a_client_meets() {
    for (bytes, name) in [
        (&HELLO[..], "our own preface back: this is a mirror, not an echo/1 server"),
        (b"[Mon Nov 23", "[Mon Nov 23: this server speaks the plain wire only"),
        (b"HTTP/1.1 400 Bad Request\r\n", r"HTTP/1.1 400 Bad Request\r\n: this is an HTTP server"),
        (b"\x15\x03\x01\x00\x02", "a TLS alert: this is a TLS server"),
        (b"220 mail\x1B[2J", r"220 mail\x1b[2J"),
        (b"\x89echo\r\n\x02", r"\x89echo\r\n\x02"),
    ] {
        let mut client = Solo::client();
        client.wish(|client, now| {
            client.send(now, b"secret").expect("open");
        });
        client.feed(bytes);
        client.feed_fin();
        let outcome = client.wait_for_end();
        let text = format!(r"violation (expected a server's preface \x89echo\r\n\x01, got {name})");
        assert_eq!(outcome.end.to_string(), text);
        assert_eq!((outcome.account.refused, outcome.account.unknown), (1, 0));
    }
}

/// clause 1.8: a client sends only its preface before it has read the server's; then it sends the rest.
#[test]
fn requests_are_held_back() {
    let mut client = Solo::client();
    client.wish(|client, now| {
        client.send(now, b"early").expect("open");
        client.leave(now, echo_core::CloseReason::normal());
    });
    assert_eq!(client.sent, HELLO);
    assert!(client.connection.waiting_output() > 0);
    client.feed_slowly(&WELCOME);
    assert_eq!(client.frame_numbers(), [(1, 1), (3, 1)]);
    let mut leaving = Solo::client();
    leaving.stalled = true;
    leaving.wish(|client, now| client.leave(now, echo_core::CloseReason::normal()));
    leaving.stalled = false;
    leaving.settle();
    assert_eq!(leaving.sent, HELLO, "a GOAWAY waits as well");
}
