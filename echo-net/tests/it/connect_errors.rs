//! `echo-net connect` to something other than an echo/1 server: the error is one line, with an exit code.

use crate::support::program::{Kid, socat_mirror};
use crate::support::raw::{self, Raw};
use crate::support::server::{ClosedPort, fake, swallow};
use crate::support::{eventually, need};
use std::io::{Read, Write};

/// Exit codes of `--help`: the connection failed, and the peer is not an echo/1 server.
const NO_CONNECTION: i32 = 3;
const WRONG_SERVER: i32 = 4;

/// Runs the client with one line of input. Returns the one line on standard error.
#[track_caller]
fn connect(server: &str, options: &[&str], exit: i32) -> String {
    let mut kid = Kid::echo_net(&[&["connect", server], options].concat());
    kid.offer(b"a message that no wrong server gets\n");
    let (code, out, err) = kid.finish();
    assert_eq!(code, Some(exit), "{err}");
    assert_eq!(out, "");
    assert_eq!(err.lines().count(), 1, "{err:?}");
    assert!(err.starts_with(&format!("echo-net: cannot talk to {server}: ")), "{err:?}");
    assert!(!err.contains("panicked") && !err.contains("backtrace"), "{err:?}");
    err
}

/// Connects to a server that sends `greeting`; it must not get the message (clause 1.8).
#[track_caller]
fn meets(greeting: &'static [u8]) -> String {
    let (address, server) = fake(move |mut raw| {
        raw.bytes(8);
        raw.send(greeting);
        swallow(raw)
    });
    let line = connect(&address.to_string(), &[], WRONG_SERVER);
    let got = server.join().expect("no panic");
    assert!(!got.windows(7).any(|bytes| bytes == b"message"), "{got:?}");
    line
}

/// Clauses 1.2, 1.7.
#[test]
fn a_mirror() {
    let (address, mirror) = fake(|mut raw| {
        let mut chunk = [0; 1024];
        while let Ok(count @ 1..) = raw.stream.read(&mut chunk) {
            let _ = raw.stream.write_all(&chunk[..count]);
        }
    });
    let line = connect(&address.to_string(), &[], WRONG_SERVER);
    assert!(line.contains("this is a mirror, not an echo/1 server"), "{line}");
    mirror.join().expect("no panic");
}

#[test]
fn a_mirror_of_socats() {
    if !need("socat") {
        return;
    }
    let (_socat, address) = socat_mirror();
    let line = connect(&address, &[], WRONG_SERVER);
    assert!(line.contains("this is a mirror, not an echo/1 server"), "{line}");
}

/// Clause 1.7, with a hint to `--plain`.
#[test]
fn a_plain_only_server() {
    let line = meets(b"[Mon Nov 23 08:16:00 2026] \x89ECHO\r\n");
    assert!(line.contains("[Mon Nov 23 08:16:00 2026]"), "{line}");
    assert!(line.contains("this server speaks the plain wire only (try --plain)"), "{line}");
}

#[test]
fn an_http_server() {
    let line = meets(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    assert!(line.contains("HTTP/1.1 400 Bad Request") && line.contains("this is an HTTP server"), "{line}");
}

#[test]
fn a_tls_server() {
    let line = meets(b"\x15\x03\x03\x00\x02\x02\x0a");
    assert!(line.contains("this is a TLS server"), "{line}");
}

/// Clause 6.3: bytes of the peer are escaped.
#[test]
fn something_else() {
    let line = meets(b"\x1b[2J220 mail.example ESMTP\r\n");
    assert!(line.contains("\\x1b[2J220 mail.example ESMTP\\r\\n"), "{line}");
    assert!(line.contains("expected a server's preface"), "{line}");
}

/// Clause 1.4: a client rejects a version that it did not offer.
#[test]
fn a_server_of_a_version_that_was_not_offered() {
    let line = meets(b"\x89echo\r\n\x02");
    assert!(line.contains("expected a server's preface"), "{line}");
}

/// Clause 8.1: the connect deadline runs until the server's preface.
#[test]
fn a_silent_server() {
    let (address, server) = fake(swallow);
    let line = connect(&address.to_string(), &["--deadline", "connect=1"], WRONG_SERVER);
    assert!(line.contains("the server sent no echo/1 preface in time"), "{line}");
    assert_eq!(server.join().expect("no panic"), raw::hello(), "clause 1.8");
}

#[test]
fn a_server_that_hangs_up() {
    let (address, server) = fake(|mut raw: Raw| {
        raw.bytes(8);
    });
    let line = connect(&address.to_string(), &[], 1);
    assert!(line.contains("the conversation ended before the server's preface: truncated"), "{line}");
    server.join().expect("no panic");
}

#[test]
fn a_closed_port() {
    let closed = ClosedPort::new();
    let address = closed.address.to_string();
    let line = connect(&address, &[], NO_CONNECTION);
    assert!(line.contains(&format!("{address}: Connection refused")), "{line}");
    let line = connect(&address, &["--plain"], NO_CONNECTION);
    assert!(line.contains(&format!("{address}: Connection refused")), "{line}");
}

#[test]
fn an_unknown_host() {
    let line = connect("nohost.invalid:2012", &["--deadline", "connect=20"], NO_CONNECTION);
    assert!(line.contains("does not resolve") || line.contains("no answer within"), "{line}");
}

/// The client reports a wrong server even if it has nothing to send.
#[test]
fn a_wrong_server_is_named_while_standard_input_is_open() {
    let (address, _server) = fake(|mut raw| {
        raw.bytes(8);
        raw.send(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        swallow(raw)
    });
    let mut kid = Kid::echo_net(&["connect", &address.to_string()]);
    eventually("the end of the program", || kid.has_ended());
    assert_eq!(kid.finish().0, Some(WRONG_SERVER));
}
