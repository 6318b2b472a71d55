//! The plain wire with `nc` and with clients like the classic one.

use crate::support::program::{Kid, Serve, piped};
use crate::support::raw::Raw;
use crate::support::server::{Server, fake};
use crate::support::time::{HEADER, is_answer, seconds};
use crate::support::{eventually, need};
use echo_net::ServerConfig;
use std::process::Command;
use std::time::Duration;

/// Clauses 2.1, 2.3, 2.5: `printf 'hello\n' | nc -N`.
#[test]
fn nc_gets_one_answer_and_both_fins() {
    if !need("nc.openbsd") {
        return;
    }
    let serve = Serve::start(&[]);
    let begin = seconds();
    let (host, port) = (serve.address.ip().to_string(), serve.address.port().to_string());
    let mut nc = Kid::spawn(piped(Command::new("nc.openbsd").args(["-N", &host, &port])));
    nc.write(b"hello\n");
    nc.end_input();
    let (code, out, err) = nc.finish();
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(is_answer(out.as_bytes(), begin, b"hello\n"), "{out:?}");
    serve.kid.logs("ends: unproven, begun by the peer");
    let (code, report) = serve.drain();
    assert_eq!(code, Some(0));
    assert_eq!(report, "served 1 connections (1 unproven), 0 refused at a limit, 1 messages, 6 bytes");
}

/// Clause 2.2: an incomplete line becomes a message after `quiet`, and no newline is added.
#[test]
fn a_message_without_newline_is_answered_when_it_falls_quiet() {
    let server = Server::start(ServerConfig::default());
    let begin = seconds();
    let mut client = Raw::connect(server.address);
    client.send(b"hello");
    let answer = client.bytes(HEADER + 5);
    assert!(is_answer(&answer, begin, b"hello"), "{answer:?}");
    client.finish();
    assert_eq!(client.rest(), b"", "nothing was added");
    assert_eq!(server.drain().ended("unproven"), 1);
}

/// Clause 2.5: an incomplete line is answered at FIN, before the server's FIN, without waiting for `quiet`.
#[test]
fn a_message_that_is_cut_off_by_fin_is_answered() {
    let mut config = ServerConfig::default();
    config.connection.quiet = Duration::MAX;
    let server = Server::start(config);
    let begin = seconds();
    let mut client = Raw::connect(server.address);
    client.send(b"hello");
    client.finish();
    let answer = client.rest();
    assert!(is_answer(&answer, begin, b"hello"), "{answer:?}");
    assert_eq!(server.drain().ended("unproven"), 1);
}

/// Clause 2.2: the classic program answers the bytes of each `recv`, whether they are lines or not.
#[test]
fn with_quiet_0_each_read_is_answered() {
    let serve = Serve::start(&["--quiet", "0"]);
    let mut client = Raw::connect(serve.address);
    for message in [&b"hel"[..], b"lo\n", b"two\nlines\n", b"\n", b"x"] {
        let begin = seconds();
        client.send(message);
        let answer = client.bytes(HEADER + message.len());
        assert!(is_answer(&answer, begin, message), "{message:?} {answer:?}");
    }
    client.finish();
    assert_eq!(client.rest(), b"", "one answer for each read");
    let (_, report) = serve.drain();
    assert_eq!(report, "served 1 connections (1 unproven), 0 refused at a limit, 5 messages, 18 bytes");
}

/// Clauses 2.1 and 2.4: an endless line comes back in pieces with every byte, and so do NULs.
#[test]
fn an_endless_line_over_the_limit_is_answered_in_pieces() {
    let serve = Serve::start(&["--max-message", "16", "--quiet", "10000"]);
    let mut client = Raw::connect(serve.address);
    let line = [&[0; 16][..], b"0123456789abcdef", b"0123456789abcde\n", b"\n"];
    client.send(&line.concat());
    for piece in line {
        let answer = client.bytes(HEADER + piece.len());
        assert_eq!(&answer[HEADER..], piece);
        assert!(answer.starts_with(b"["), "{answer:?}");
    }
    client.finish();
    assert_eq!(client.rest(), b"");
    let (_, report) = serve.drain();
    assert_eq!(report, "served 1 connections (1 unproven), 0 refused at a limit, 4 messages, 49 bytes");
}

/// Clause 2.4.
#[test]
fn telnet_negotiation_and_controls_are_echoed_as_they_are() {
    let server = Server::start(ServerConfig::default());
    for message in [&b"\xff\xfb\x18\xff\xfd\x01\xff\xfd\x03"[..], b"\0\0\0", b"\x1b[2J\x07", b"\xc3\x28\n", b"\r\n"] {
        let mut client = Raw::connect(server.address);
        let begin = seconds();
        client.send(message);
        let answer = client.bytes(HEADER + message.len());
        assert!(is_answer(&answer, begin, message), "{message:?} {answer:?}");
        client.finish();
        assert_eq!(client.rest(), b"");
    }
    assert_eq!(server.drain().ended("unproven"), 5);
}

/// Clauses 1.1 and 2.5: a client that sends nothing gets only FIN, after its own FIN.
#[test]
fn a_client_that_leaves_without_a_word_hears_only_fin() {
    let server = Server::start(ServerConfig::default());
    let mut client = Raw::connect(server.address);
    client.finish();
    assert_eq!(client.rest(), b"");
    let report = server.drain();
    assert_eq!((report.ended("unproven"), report.messages), (1, 0), "{report}");
}

/// After a signal, the plain client also ends within the shutdown deadline, however slow the server is.
#[test]
fn a_plain_client_that_is_told_to_end_waits_no_longer_than_an_ending() {
    let (arrived, arrival) = std::sync::mpsc::channel();
    let (address, server) = fake(move |mut raw| {
        assert_eq!(raw.bytes(6), b"hello\n");
        arrived.send(()).expect("the test waits for it");
        assert_eq!(raw.rest(), b"");
        raw
    });
    let mut kid = Kid::echo_net(&["connect", "--plain", "--deadline", "shutdown=0.2", &address.to_string()]);
    kid.write(b"hello\n");
    arrival.recv_timeout(crate::support::PATIENCE).expect("the line arrives");
    eventually("a handler", || crate::signals::catches(kid.id(), 15));
    kid.signal("TERM");
    // Joined, not dropped: the connection stays open.
    let _raw = server.join().expect("no panic");
    assert_eq!(kid.wait().code(), Some(143));
    let err = kid.stderr();
    assert!(err.contains("the program did not wait for the end") || err.contains("timed out"), "{err}");
}
