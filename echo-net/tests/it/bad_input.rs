//! Invalid input of a client: the server rejects it and sends the reason first, and other clients are not affected.

use crate::support::bystander::Bystander;
use crate::support::raw::{self, Raw, Said};
use crate::support::time::{HEADER, is_answer, seconds};

/// Sends `bytes` after the preface. Expects CLOSE with `code`, `last` and a reason that is also in the log.
#[track_caller]
fn refused(bystander: &mut Bystander, bytes: &[u8], code: u16, last: u64, expected: &str, got: &str) {
    let mut bad = Raw::connect(bystander.address());
    bad.send(&[&raw::hello(), bytes].concat());
    bad.hears_preface();
    for seq in 1..=last {
        assert!(matches!(bad.hears(), Said::Reply { seq: came, .. } if came == seq), "accepted before");
    }
    hears_why(bystander, bad, code, last, &format!("expected {expected}, got {got}"));
}

/// Expects the reason, then FIN after the client's FIN, whatever the client sends between (clause 5.6); and the log.
#[track_caller]
fn hears_why(bystander: &mut Bystander, mut bad: Raw, code: u16, last: u64, why: &str) {
    match bad.hears() {
        Said::Close { last: l, code: c, reason, fin_first: false } => {
            assert_eq!((c, l), (code, last), "{reason}");
            assert!(!reason.is_empty() && why.starts_with(&reason), "{reason:?} is not {why:?}");
        }
        said => panic!("expected CLOSE {code}, got {said:?}"),
    }
    let port = bad.stream.local_addr().expect("it is connected").port();
    bystander.is_undisturbed();
    bad.send(&raw::echo(last + 1, b"discarded"));
    bad.finish();
    assert_eq!(bad.hears(), Said::Fin, "no second CLOSE: clause 5.10");
    let log = bystander.log_of(port);
    assert!(log.starts_with(&format!("violation ({why}), begun by the peer; ")), "{log:?} is not {why:?}");
}

/// Clauses 4.3–4.7, 5.1, 6.2, 6.3.
#[test]
fn frames_that_break_the_protocol() {
    let mut bystander = Bystander::watching(&["--max-message", "1000"]);
    let frame = |len: u32, kind: u8, seq: u64, body: &[u8]| {
        [&len.to_be_bytes()[1..], &[kind], &seq.to_be_bytes(), body].concat()
    };
    let b = &mut bystander;
    // Garbage: its fourth byte is a kind that must be known, or its first three bytes are a length over the limit.
    refused(b, b"\xff\xfe\xfd\xfcgarbage!", 1002, 0, "a kind of frame below 0x80", "the unknown kind 0xfc");
    let most = "a body of at most 1024 bytes in a frame of kind 0x62";
    refused(b, b"garbage that is no frame", 1009, 0, most, "6775154");
    // A length over the limit is rejected by the header alone.
    refused(b, &frame(1009, 1, 1, b""), 1009, 0, "a message of at most 1000 bytes in ECHO", "1001");
    refused(b, &frame(0xff_ffff, 1, 1, b""), 1009, 0, "a message of at most 1000 bytes in ECHO", "16777207");
    refused(b, &frame(7, 1, 1, b"1234567"), 1002, 0, "a body of at least 8 bytes in ECHO", "7");
    // Numbers increase by one from 1.
    refused(b, &raw::echo(0, b""), 1002, 0, "request 1", "request 0");
    refused(b, &raw::echo(2, b""), 1002, 0, "request 1", "request 2");
    refused(b, &[raw::echo(1, b"a"), raw::echo(1, b"a")].concat(), 1002, 1, "request 2", "request 1");
    refused(b, &[raw::echo(1, b"a"), raw::echo(3, b"a")].concat(), 1002, 1, "request 2", "request 3");
    refused(b, &raw::goaway(1), 1002, 0, "GOAWAY 0", "GOAWAY 1");
    // Frames that a client never sends, or not yet.
    refused(b, &raw::reply(1, b"a"), 1002, 0, "a request, GOAWAY or CLOSE", "answer 1 from a client");
    refused(b, &raw::close(0), 1002, 0, "GOAWAY first", "CLOSE");
    // Invalid reasons.
    let close_reason = |reason: &[u8]| [b"\x03\xe8\0", reason].concat();
    let bad = close_reason(b"\xff\x1b[31mred");
    let got = r"the bytes \xff\x1b[31mred";
    refused(b, &frame(bad.len() as u32, 3, 0, &bad), 1002, 0, "a reason in UTF-8 in GOAWAY", got);
    refused(b, &frame(bad.len() as u32, 4, 0, &bad), 1002, 0, "a reason in UTF-8 in CLOSE", got);
    let long = close_reason(&[b'x'; 124]);
    refused(b, &frame(127, 3, 0, &long), 1002, 0, "a body of at most 126 bytes in GOAWAY", "127");
    bystander.reports(15, "1 clean, 1 unproven, 15 violation");
}

/// Clause 5.6: the receiver of an error sends no CLOSE, and FIN after the peer's FIN. The account is valid.
#[test]
fn an_error_of_the_clients_is_logged_with_its_reason_escaped() {
    let mut b = Bystander::watching(&[]);
    let mut client = Raw::greeted(b.address());
    let port = client.stream.local_addr().expect("it is connected").port();
    client.asks(1, b"one");
    client.send(&raw::close_with(1, 1011, "my disk \x1b[31m is full\n"));
    client.finish();
    assert_eq!(client.hears(), Said::Fin);
    let log = b.log_of(port);
    let why = r"failed (1011 internal error: my disk \x1b[31m is full\n), begun by the peer; 1 answered, 0 refused";
    assert!(log.starts_with(why), "{log}");
    b.is_undisturbed();
    b.reports(1, "1 clean, 1 unproven, 1 failed");
}

/// Clause 5.10, 5.11: data after CLOSE turns a clean end into a violation, and no second CLOSE is sent.
#[test]
fn a_frame_behind_close() {
    let mut b = Bystander::watching(&[]);
    let mut bad = Raw::greeted(b.address());
    let port = bad.stream.local_addr().expect("it is connected").port();
    bad.send(&raw::goaway(0));
    assert!(matches!(bad.hears(), Said::Close { last: 0, code: 1000, .. }));
    bad.send(&[raw::close(0), raw::echo(1, b"too late")].concat());
    bad.finish();
    assert_eq!(bad.hears(), Said::Fin);
    let log = b.log_of(port);
    assert!(log.starts_with("violation (expected FIN after CLOSE, got request 1), begun by the peer"), "{log}");
    b.is_undisturbed();
    b.reports(1, "1 clean, 1 unproven, 1 violation");
}

/// Clause 5.1: a client sends no request after its GOAWAY.
#[test]
fn a_request_or_a_second_goaway_behind_goaway() {
    let mut b = Bystander::watching(&[]);
    for (bytes, why) in [
        (raw::echo(1, b"one more"), "expected CLOSE or FIN, got request 1"),
        (raw::goaway(0), "expected at most one GOAWAY, got another"),
    ] {
        let mut bad = Raw::greeted(b.address());
        let port = bad.stream.local_addr().expect("it is connected").port();
        bad.send(&[raw::goaway(0), bytes].concat());
        assert!(matches!(bad.hears(), Said::Close { last: 0, code: 1000, .. }), "CLOSE was due already");
        bad.finish();
        assert_eq!(bad.hears(), Said::Fin);
        let log = b.log_of(port);
        assert!(log.starts_with(&format!("violation ({why}), begun by the peer")), "{log}");
        b.is_undisturbed();
    }
    b.reports(2, "1 clean, 1 unproven, 2 violation");
}

/// Clauses 1.6 and 5.7: a FIN inside the preface is a FIN before CLOSE.
#[test]
fn a_preface_cut_short_at_each_byte() {
    let mut b = Bystander::watching(&[]);
    for count in 1..8 {
        let mut bad = Raw::connect(b.address());
        let port = bad.stream.local_addr().expect("it is connected").port();
        bad.send(&raw::hello()[..count]);
        bad.finish();
        bad.hears_preface();
        match bad.hears() {
            Said::Close { last: 0, code: 1002, reason, .. } => assert_eq!(reason, "FIN before CLOSE"),
            said => panic!("expected CLOSE 1002, got {said:?}"),
        }
        assert_eq!(bad.hears(), Said::Fin);
        let log = b.log_of(port);
        assert!(log.starts_with("truncated, begun by the peer; 0 answered"), "{log}");
        b.is_undisturbed();
    }
    b.reports(7, "1 clean, 1 unproven, 7 truncated");
}

/// Clause 1.6: after a first byte of 0x89 nothing is echoed.
#[test]
fn a_preface_corrupted_at_each_byte() {
    let mut b = Bystander::watching(&[]);
    for at in 1..8 {
        let mut bytes = raw::hello();
        bytes[at] = if at == 7 { 0 } else { bytes[at] ^ 0x80 };
        let mut bad = Raw::connect(b.address());
        bad.send(&bytes);
        bad.hears_preface();
        let rest = bytes[at..].escape_ascii();
        let why = format!(
            "expected a client's preface \\x89ECHO\\r\\n and a version from 1, got {at} bytes of it, then {rest}"
        );
        hears_why(&mut b, bad, 1002, 0, &why);
    }
    b.reports(7, "1 clean, 1 unproven, 7 violation");
}

/// Clause 1.3: any other first byte selects the plain wire.
#[test]
fn another_first_byte_is_a_plain_message() {
    let mut b = Bystander::watching(&[]);
    let begin = seconds();
    let mut client = Raw::connect(b.address());
    client.send(b"\x09ECHO\r\n");
    assert!(is_answer(&client.bytes(HEADER + 7), begin, b"\x09ECHO\r\n"));
    b.is_undisturbed();
    client.finish();
    assert_eq!(client.rest(), b"");
    b.reports(1, "1 clean, 2 unproven");
}

/// Clause 1.4: the server answers with the lower version.
#[test]
fn a_higher_version_is_answered_with_this_one() {
    let mut b = Bystander::watching(&[]);
    let mut client = Raw::connect(b.address());
    let mut hello = raw::hello();
    hello[7] = 0xff;
    client.send(&hello);
    client.hears_preface();
    client.asks(1, b"in version 1");
    client.ends_clean(1);
    b.is_undisturbed();
    b.reports(1, "2 clean, 1 unproven");
}

/// Clauses 1.5 and 2.6.
#[test]
fn clients_of_other_protocols_are_refused_by_name() {
    let mut b = Bystander::watching(&[]);
    let tls: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n and so on";
    for (bytes, got) in [
        (&b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"[..], "an HTTP request (GET / HTTP/1.1)"),
        (b"GET /\x1b[2J\xff HTTP/1.0\r\n\r\n", "an HTTP request (GET /\\x1b[2J\\xff HTTP/1.0)"),
        (tls, "a TLS hello"),
    ] {
        let mut bad = Raw::connect(b.address());
        let port = bad.stream.local_addr().expect("it is connected").port();
        bad.send(bytes);
        let why = format!("expected a line of text or the preface of echo/1, got {got}");
        assert_eq!(String::from_utf8(bad.rest()), Ok(format!("echo: {why}\n")), "one line, then FIN: clause 2.6");
        b.is_undisturbed();
        drop(bad);
        let log = b.log_of(port);
        assert!(log.starts_with(&format!("violation ({why}), begun by the peer; ")), "{log}");
    }
    b.reports(3, "1 clean, 1 unproven, 3 violation");
}

/// Clause 1.5: later messages are echoed, whatever they contain.
#[test]
fn an_http_request_as_a_second_message_is_echoed() {
    let mut b = Bystander::watching(&[]);
    let mut client = Raw::connect(b.address());
    for message in [&b"hello\n"[..], b"GET / HTTP/1.1\r\n", b"\x16\x03\x01\n"] {
        let begin = seconds();
        client.send(message);
        assert!(is_answer(&client.bytes(HEADER + message.len()), begin, message));
    }
    client.finish();
    assert_eq!(client.rest(), b"");
    b.is_undisturbed();
    b.reports(1, "1 clean, 2 unproven");
}
