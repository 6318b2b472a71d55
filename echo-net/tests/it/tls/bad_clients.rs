//! Clients that break TLS, at a server with another connection that must not be affected.

use crate::support::program::Serve;
use crate::support::raw::{Raw, hello};
use crate::support::tls::{Authority, Secure};
use std::io::Write;

/// A record with the fatal alert `unexpected_message`.
const ALERT: &[u8] = &[0x15, 3, 3, 0, 2, 2, 10];

/// A server with TLS, and a connection that goes on.
struct Watched {
    authority: Authority,
    serve: Serve,
    bystander: Secure,
    asked: u64,
    ended: u64,
}

impl Watched {
    fn start(options: &[&str]) -> Self {
        let authority = Authority::new();
        let tls = authority.options("good");
        let all: Vec<_> = tls.iter().map(String::as_str).chain(options.iter().copied()).collect();
        let serve = Serve::start(&all);
        let mut bystander = Secure::connect(serve.address, &authority);
        bystander.greets_server();
        Self { authority, serve, bystander, asked: 0, ended: 0 }
    }

    fn raw(&self) -> Raw {
        Raw::connect(self.serve.address)
    }

    fn secure(&self) -> Secure {
        Secure::connect(self.serve.address, &self.authority)
    }

    /// Waits for the end of the connection from `port`, and checks its outcome.
    #[track_caller]
    fn ends(&mut self, port: u16, expected: &str) {
        let needle = format!("from 127.0.0.1:{port} ends: ");
        let line = self.serve.kid.logs(&needle);
        let outcome = line.split_once(&needle).expect("it was found").1;
        assert!(outcome.starts_with(expected), "expected {expected:?}, got {outcome:?}");
        self.ended += 1;
        self.asked += 1;
        self.bystander.asks(self.asked, b"still there?");
    }

    /// Ends the bystander and the server.
    #[track_caller]
    fn finish(mut self) {
        self.bystander.closes(self.asked);
        self.bystander.finish();
        assert_eq!(self.bystander.rest(), b"");
        let port = self.bystander.port();
        self.serve.kid.logs(&format!("from 127.0.0.1:{port} ends: clean"));
        let log = self.serve.kid.stderr();
        assert!(!log.contains("panicked") && !log.contains(|c: char| c.is_control() && c != '\n'), "{log:?}");
        let (code, report) = self.serve.drain();
        assert_eq!(code, Some(0));
        assert!(report.starts_with(&format!("served {} connections", self.ended + 1)), "{report}");
    }
}

fn port(raw: &Raw) -> u16 {
    raw.stream.local_addr().expect("it is connected").port()
}

#[test]
fn what_is_no_tls_is_named() {
    let mut watched = Watched::start(&[]);
    for (sent, named) in [
        (&hello()[..], "a preface of echo/1 without TLS"),
        (b"hello\n", "\"hello\\n\" without TLS"),
        (b"GET /index.html HTTP/1.1\r\n\r\n", "\"GET /index.html HTTP…\" without TLS"),
        (b"\x00", "\"\\x00\" without TLS"),
    ] {
        let mut raw = watched.raw();
        raw.send(sent);
        assert_eq!(raw.rest(), ALERT, "so the client learns that TLS is spoken here");
        watched.ends(port(&raw), &format!("violation (expected a TLS handshake, got {named}), begun by the peer"));
    }
    watched.finish();
}

#[test]
fn a_handshake_that_is_none() {
    let mut watched = Watched::start(&[]);
    for garbage in [&b"\x16\x03\x01\x00\x05hello"[..], b"\x16\x03\x01\xff\xff", b"\x15\x03\x03\x00\x02\x02\x28"] {
        let mut raw = watched.raw();
        raw.send(garbage);
        watched.ends(port(&raw), "violation (expected a TLS handshake, got ");
    }
    watched.finish();
}

#[test]
fn a_client_that_ends_in_the_handshake() {
    let mut watched = Watched::start(&[]);
    let mut raw = watched.raw();
    raw.send(b"\x16\x03\x01\x02\x00\x01");
    raw.finish();
    watched.ends(port(&raw), "violation (expected a TLS handshake, got a part of it and then FIN)");
    // Such as a health check.
    let mut silent = watched.raw();
    silent.finish();
    watched.ends(port(&silent), "unproven, begun by the peer; 0 answered");
    watched.finish();
}

/// The deadlines of the server limit a handshake, too, and so does a drain.
#[test]
fn a_client_that_stops_in_the_handshake() {
    let authority = Authority::new();
    let tls = authority.options("good");
    let idle = ["--deadline", "idle=300ms", "--deadline", "linger=200ms"];
    let all: Vec<_> = tls.iter().map(String::as_str).chain(idle).collect();
    let serve = Serve::start(&all);
    let mut raw = Raw::connect(serve.address);
    raw.send(b"\x16\x03\x01\x02\x00\x01");
    let needle = format!("from 127.0.0.1:{} ends: ", port(&raw));
    let line = serve.kid.logs(&needle);
    assert!(line.contains("timed out (idle), begun by us"), "{line}");
    assert_eq!(raw.rest(), b"");
    // It held up nobody.
    let mut secure = Secure::connect(serve.address, &authority);
    secure.greets_server();
    secure.asks(1, b"hello");
}

#[test]
fn a_drain_ends_a_handshake() {
    let authority = Authority::new();
    let tls = authority.options("good");
    let serve = Serve::start(&tls.each_ref().map(String::as_str));
    let mut raw = Raw::connect(serve.address);
    raw.send(b"\x16\x03\x01\x02\x00\x01");
    serve.kid.logs("begins");
    let closing = std::thread::spawn(move || {
        let rest = raw.rest();
        raw.finish();
        rest
    });
    let (code, report) = serve.drain();
    assert_eq!((code, closing.join().expect("no panic")), (Some(0), Vec::new()));
    assert!(report.starts_with("served 1 connections (1 "), "{report}");
}

#[test]
fn a_client_that_does_not_accept_the_certificate() {
    let mut watched = Watched::start(&[]);
    let foreign = watched.authority.foreign();
    let mut secure = Secure::begin(watched.serve.address, &foreign);
    let port = secure.port();
    let error = secure.shake_hands().expect_err("another authority");
    assert!(error.to_string().contains("UnknownIssuer"), "{error}");
    watched.ends(port, "violation (expected a TLS handshake, got the TLS alert UnknownCA)");
    watched.finish();
}

/// Clause 5.14: a FIN alone is named, unless the CLOSE frames were exchanged.
#[test]
fn a_client_that_sends_no_close_notify() {
    let mut watched = Watched::start(&[]);
    let mut framed = watched.secure();
    framed.greets_server();
    framed.asks(1, b"hello");
    framed.cut();
    watched.ends(framed.port(), "unexpected eof, begun by the peer; 0 answered, 0 refused, 1 unknown");

    let mut plain = watched.secure();
    plain.send(b"hello\n");
    plain.cut();
    let answer = plain.rest();
    assert!(answer.ends_with(b"] hello\n"), "what came is answered: {answer:?}");
    watched.ends(plain.port(), "unexpected eof, begun by the peer");

    let mut clean = watched.secure();
    clean.greets_server();
    clean.asks(1, b"hello");
    clean.closes(1);
    clean.cut();
    watched.ends(clean.port(), "clean (1000 normal)");
    watched.finish();
}

#[test]
fn a_client_that_resets() {
    let mut watched = Watched::start(&[]);
    let mut secure = watched.secure();
    secure.greets_server();
    secure.asks(1, b"hello");
    let port = secure.port();
    secure.reset();
    watched.ends(port, "reset, begun by the peer");
    watched.finish();
}

/// Clause 5.14: a record that does not decrypt, an unknown one, and plain text in the middle.
#[test]
fn garbage_after_the_handshake() {
    let mut watched = Watched::start(&[]);
    for garbage in [&[&b"\x17\x03\x03\x00\x20"[..], &[0; 32]].concat()[..], b"\x63\x03\x03\x00\x01a", b"hello\n"] {
        let mut secure = watched.secure();
        secure.greets_server();
        secure.asks(1, b"hello");
        secure.stream.write_all(garbage).expect("the server takes bytes");
        let expected = "violation (expected a TLS record, got an invalid one (";
        watched.ends(secure.port(), expected);
    }
    // After the CLOSE frames it proves nothing against them.
    let mut clean = watched.secure();
    clean.greets_server();
    clean.closes(0);
    clean.stream.write_all(b"hello\n").expect("the server takes bytes");
    watched.ends(clean.port(), "clean (1000 normal)");
    watched.finish();
}
