//! Servers that a client must not believe, or that break TLS: one line, and the documented exit code.

use crate::support::program::{Kid, Serve};
use crate::support::raw::echo;
use crate::support::server::fake;
use crate::support::tls::{Authority, Secure, fake_tls, name};
use crate::support::within;
use echo_net::{Client, ClientConfig, ConnectError, TlsError};
use std::io::Write;
use std::net::SocketAddr;

/// Runs `connect` with a line of input.
fn connect(address: SocketAddr, options: &[&str]) -> (Option<i32>, String) {
    let address = address.to_string();
    let mut kid = Kid::echo_net(&[&["connect", &address], options].concat());
    kid.offer(b"hello\n");
    let (code, _, err) = kid.finish();
    (code, err)
}

#[track_caller]
fn refuses(address: SocketAddr, options: &[&str], code: i32, expected: &str) {
    let (got, err) = connect(address, options);
    let expected = format!("echo-net: cannot talk to {address}: connected, but {expected}");
    assert!(err.starts_with(&expected) && err.lines().count() == 1, "expected {expected:?}, got {err:?}");
    assert_eq!(got, Some(code), "{err}");
}

#[test]
fn certificates_that_are_not_accepted() {
    let authority = Authority::new();
    let (foreign, impostor) = (authority.foreign(), authority.impostor());
    authority.issues("expired", &["127.0.0.1"], |params| params.not_after = rcgen::date_time_ymd(2020, 1, 1));
    authority.issues("early", &["127.0.0.1"], |params| params.not_before = rcgen::date_time_ymd(2999, 1, 1));
    authority.issues("other", &["example.org"], |_| ());
    authority.issues("authority", &["127.0.0.1"], |params| {
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    });
    for (issuer, file, expected) in [
        (&authority, "authority", "the server's certificate is that of an authority (CA:TRUE), not of a server\n"),
        (&authority, "expired", "the server's certificate has expired\n"),
        (&authority, "early", "the server's certificate is not valid yet\n"),
        (&authority, "other", "the server's certificate is not for 127.0.0.1, but for example.org\n"),
        (&foreign, "good", "no known authority has issued the server's certificate\n"),
        (&impostor, "good", "the server's certificate is not signed by the authority that it names\n"),
    ] {
        let tls = issuer.options(file);
        let serve = Serve::start(&tls.each_ref().map(String::as_str));
        let ca = authority.path("ca.pem");
        for wire in [&[][..], &["--plain"]] {
            refuses(serve.address, &[&["--tls", "--tls-ca", &ca], wire].concat(), 3, expected);
        }
    }
}

#[test]
fn a_name_that_is_given() {
    let authority = Authority::new();
    authority.issues("other", &["example.org"], |_| ());
    let tls = authority.options("other");
    let serve = Serve::start(&tls.each_ref().map(String::as_str));
    let ca = authority.path("ca.pem");
    let (code, err) = connect(serve.address, &["--tls", "--tls-ca", &ca, "--tls-name", "example.org"]);
    assert_eq!(code, Some(0), "{err}");
}

#[test]
fn a_server_without_tls() {
    let authority = Authority::new();
    let ca = authority.path("ca.pem");
    let tls = ["--tls", "--tls-ca", ca.as_str()];
    let serve = Serve::start(&[]);
    let named =
        "the server does not speak TLS: expected a TLS handshake, got the refusal of an echo/1 server without TLS";
    refuses(serve.address, &tls, 4, named);
    // The server names the other side.
    serve.kid.logs("a TLS hello");
    let (address, server) = fake(drop);
    let silent = "the server ended the connection without a TLS handshake (try without --tls)\n";
    let (code, err) = connect(address, &tls);
    // Its RST is possible, too, because it has not read the hello.
    assert!(err.contains(silent) || err.contains("the connection failed in the TLS handshake: "), "{err}");
    assert!(matches!(code, Some(3 | 4)));
    server.join().expect("no panic");
    let (address, server) = fake(|mut raw| {
        raw.some();
        raw.send(b"\x16\x03\x03\x00\x10");
        raw.finish();
        raw
    });
    refuses(address, &tls, 3, "the server ended the connection in the TLS handshake\n");
    server.join().expect("no panic");
}

#[test]
fn a_mirror() {
    let authority = Authority::new();
    let ca = authority.path("ca.pem");
    let (address, server) = fake(|mut raw| {
        let hello = raw.some();
        raw.send(&hello);
        raw.finish();
        raw
    });
    let expected = "the server does not speak TLS: our own handshake back: this is a mirror (try without --tls)";
    refuses(address, &["--tls", "--tls-ca", &ca], 4, expected);
    server.join().expect("no panic");
}

#[test]
fn a_server_with_tls_that_nobody_asked_for() {
    let authority = Authority::new();
    let tls = authority.options("good");
    let serve = Serve::start(&tls.each_ref().map(String::as_str));
    let (code, err) = connect(serve.address, &[]);
    assert_eq!(code, Some(4), "{err}");
    assert!(err.contains("TLS") && err.ends_with(" (try --tls)\n") && err.lines().count() == 1, "{err}");
    serve.kid.logs("a preface of echo/1 without TLS");
}

#[test]
fn a_silent_server() {
    let authority = Authority::new();
    let (address, server) = fake(|raw| raw);
    let ca = authority.path("ca.pem");
    let (code, err) = connect(address, &["--tls", "--tls-ca", &ca, "--deadline", "connect=300ms"]);
    assert_eq!(code, Some(3), "{err}");
    assert_eq!(
        err,
        format!("echo-net: cannot talk to {address}: connected, but the TLS handshake was not complete within 300ms\n")
    );
    drop(server.join().expect("no panic"));
}

/// How a client of the library, and one of the program on the plain wire, see a server's end.
#[track_caller]
fn ends(end: fn(Secure), expected: &str) {
    let authority = Authority::new();
    let (address, server) = fake_tls(&authority, move |mut secure| {
        secure.greets_client();
        let request = echo(1, b"hello");
        secure.bytes(request.len());
        end(secure);
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let outcome = runtime.block_on(async {
        let client = Client::connect_tls(address, name(), authority.client(), ClientConfig::default());
        let client = within(client).await.expect("something like a server");
        within(client.request("hello")).await.expect_err("no answer");
        within(client.ended()).await
    });
    assert!(outcome.end.to_string().starts_with(expected), "expected {expected}, got {outcome}");
    server.join().expect("no panic");

    let (address, server) = fake_tls(&authority, move |mut secure| {
        assert_eq!(secure.bytes(6), b"hello\n");
        secure.send(b"hello\n");
        end(secure);
    });
    let (code, err) = connect(address, &["--plain", "--tls", "--tls-ca", &authority.path("ca.pem")]);
    let line = err.lines().last().unwrap_or_default();
    let failed = line.starts_with(&format!("echo-net: failed: the end was not clean: {expected}"));
    assert!(failed, "expected {expected}, got {err}");
    assert_eq!(code, Some(1));
    server.join().expect("no panic");
}

/// Clause 5.14.
#[test]
fn a_server_that_sends_no_close_notify() {
    let cut = |mut secure: Secure| {
        secure.cut();
        secure.linger();
    };
    ends(cut, "unexpected eof");
}

#[test]
fn a_server_that_resets() {
    ends(Secure::reset, "reset");
}

#[test]
fn a_server_that_sends_garbage() {
    let garbage = |mut secure: Secure| {
        secure.stream.write_all(b"hello\n").expect("it is taken");
        secure.linger();
    };
    ends(garbage, "violation (expected a TLS record, got an invalid one (");
}

/// The errors of the library are values, not only text.
#[tokio::test]
async fn errors_that_a_program_can_match() {
    let authority = Authority::new();
    let (address, server) = fake_tls_that_is_refused(&authority);
    let foreign = authority.foreign();
    let connecting = Client::connect_tls(address, name(), foreign.client(), ClientConfig::default());
    let error = within(connecting).await.expect_err("another authority");
    assert!(matches!(error, ConnectError::Tls(TlsError::Certificate(_))), "{error:?}");
    server.join().expect("no panic");
}

fn fake_tls_that_is_refused(authority: &Authority) -> (SocketAddr, std::thread::JoinHandle<()>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it listens");
    let config = authority.server();
    let thread = std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a client");
        let tls = echo_net::rustls::ServerConnection::new(config).expect("a server");
        let mut secure = Secure::on(stream, tls.into());
        secure.shake_hands().expect_err("an alert");
    });
    (address, thread)
}
