//! Deadlines over TLS.

use crate::support::program::Serve;
use crate::support::raw::{echo, hello};
use crate::support::tls::{Authority, Secure};
use std::io::ErrorKind;

fn serve(authority: &Authority, deadlines: &[&str]) -> Serve {
    let tls = authority.options("good");
    let deadlines = deadlines.iter().flat_map(|deadline| ["--deadline", deadline]);
    let all: Vec<_> = tls.iter().map(String::as_str).chain(deadlines).collect();
    Serve::start(&all)
}

#[track_caller]
fn ends(serve: &Serve, port: u16, expected: &str) {
    let needle = format!("from 127.0.0.1:{port} ends: ");
    let line = serve.kid.logs(&needle);
    assert!(line.contains(&format!("{needle}{expected}")), "expected {expected:?}, got {line:?}");
}

#[test]
fn an_incomplete_preface() {
    let authority = Authority::new();
    let serve = serve(&authority, &["detect=200ms"]);
    let mut secure = Secure::connect(serve.address, &authority);
    secure.send(&hello()[..4]);
    secure.cut();
    // The FIN comes first or the deadline.
    let needle = format!("from 127.0.0.1:{} ends: ", secure.port());
    let line = serve.kid.logs(&needle);
    assert!(line.contains("unexpected eof") || line.contains("timed out (detect)"), "{line}");
    let mut secure = Secure::connect(serve.address, &authority);
    secure.send(&hello()[..4]);
    let reason = secure.bytes(8 + 15 + "detect deadline".len());
    assert!(reason.ends_with(b"detect deadline"));
    ends(&serve, secure.port(), "timed out (detect), begun by us");
}

/// The client sends, and never reads: the server stops to read, and then gives up.
#[test]
fn a_peer_that_does_not_read() {
    let authority = Authority::new();
    let serve = serve(&authority, &["write=500ms"]);
    let mut secure = Secure::connect(serve.address, &authority);
    secure.greets_server();
    let port = secure.port();
    let pouring = std::thread::spawn(move || {
        let payload = vec![b'x'; 32 * 1024];
        for seq in 1.. {
            let sent = secure.try_send(&echo(seq, &payload));
            if let Err(error) = sent {
                return error.kind();
            }
        }
        unreachable!("the server ends it")
    });
    ends(&serve, port, "timed out (write), begun by us");
    let end = pouring.join().expect("no panic");
    assert!(matches!(end, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{end}");
}

/// The client takes no part in the close: each wait has its end.
#[test]
fn a_drain_without_the_client() {
    let authority = Authority::new();
    let serve = serve(&authority, &["drain=200ms", "close=200ms", "linger=200ms"]);
    let mut secure = Secure::connect(serve.address, &authority);
    secure.greets_server();
    secure.asks(1, b"hello");
    let port = secure.port();
    let mut serve = serve;
    serve.kid.signal("INT");
    ends(&serve, port, "timed out (close), begun by us");
    assert_eq!(serve.kid.wait().code(), Some(0));
    let rest = secure.rest();
    assert!(!rest.is_empty(), "GOAWAY and CLOSE, and then close_notify");
}
