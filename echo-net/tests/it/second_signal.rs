//! Signals to a server: the first drains, the second aborts.

use crate::support::eventually;
use crate::support::program::Serve;
use crate::support::raw::{Raw, Said};

/// A server with a client that does not end, after the first signal.
#[track_caller]
fn draining(signal: &str) -> (Serve, Raw) {
    let serve = Serve::start(&["--deadline", "drain=never", "--deadline", "shutdown=never"]);
    let mut client = Raw::greeted(serve.address);
    client.asks(1, b"I stay");
    serve.kid.signal(signal);
    assert_eq!(client.hears(), Said::GoAway { last: 0, code: 1001 });
    serve.kid.logs("draining 1 connections");
    (serve, client)
}

#[track_caller]
fn second_aborts(first: &str, second: &str) {
    let (serve, mut client) = draining(first);
    serve.kid.signal(second);
    assert_eq!(client.hears(), Said::Reset, "aborted: clause 9.3");
    let (code, out, err) = serve.kid.finish();
    assert_eq!(code, Some(1), "{err}");
    assert!(out.contains("served 1 connections (1 reset), 0 refused at a limit, 1 messages, 6 bytes"), "{out}");
    assert!(err.contains("stopped by a second signal: connections were aborted"), "{err}");
}

#[test]
fn a_second_sigint_aborts() {
    second_aborts("INT", "INT");
}

#[test]
fn sigterm_and_sigint_count_together() {
    second_aborts("TERM", "INT");
}

/// Clauses 5.1–5.3: the usual order, begun by the server.
#[test]
fn sigterm_drains_like_sigint() {
    for signal in ["TERM", "INT"] {
        let (serve, client) = draining(signal);
        client.ends_clean_as(1, 1001);
        let (code, out, err) = serve.kid.finish();
        assert_eq!(code, Some(0), "{err}");
        assert!(out.contains("served 1 connections (1 clean)"), "{out}");
    }
}

/// A server that drains does not listen any more, so new clients are refused at once.
#[test]
fn a_draining_server_accepts_nobody() {
    let (serve, client) = draining("INT");
    eventually("the end of listening", || {
        let refused = std::net::TcpStream::connect(serve.address).expect_err("nobody listens");
        refused.kind() == std::io::ErrorKind::ConnectionRefused
    });
    client.ends_clean_as(1, 1001);
    assert_eq!(serve.kid.finish().0, Some(0));
}
