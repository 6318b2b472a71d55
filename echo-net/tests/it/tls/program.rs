//! The program with TLS.

use crate::support::program::{Kid, Serve};
use crate::support::tls::Authority;

fn serve(authority: &Authority, options: &[&str]) -> Serve {
    let tls = authority.options("good");
    let all: Vec<_> = tls.iter().map(String::as_str).chain(options.iter().copied()).collect();
    Serve::start(&all)
}

#[track_caller]
fn succeeds(arguments: &[&str], input: &[u8]) -> String {
    let mut kid = Kid::echo_net(arguments);
    kid.offer(input);
    let (code, out, err) = kid.finish();
    assert_eq!(code, Some(0), "{arguments:?}: {err}");
    out
}

#[test]
fn every_command_speaks_it() {
    let authority = Authority::new();
    for options in [&[][..], &["--threads", "2"]] {
        let serve = serve(&authority, options);
        let (address, ca) = (serve.address.to_string(), authority.path("ca.pem"));
        let tls = [address.as_str(), "--tls", "--tls-ca", &ca];
        let run = |command: &str, more: &[&str], input: &[u8]| succeeds(&[&[command], &tls[..], more].concat(), input);
        assert!(run("connect", &[], b"hello\n").contains("hello"));
        assert!(run("connect", &["--plain"], b"hello\n").ends_with("] hello\n"));
        assert!(run("ping", &["-n", "3", "-i", "1ms"], b"").contains("seq 3: "));
        for more in [&["--plain"][..], &["--short"], &[]] {
            run("bench", &[more, &["-c", "2", "-t", "200ms", "-w", "0"]].concat(), b"");
        }
        let (code, report) = serve.drain();
        assert_eq!(code, Some(0));
        // `bench --short` can end in a handshake, which is then no whole one.
        assert!(!report.contains("reset") && !report.contains("eof"), "{report}");
    }
}

/// A load balancer sends its header before the handshake.
#[test]
fn behind_a_balancer() {
    let authority = Authority::new();
    let serve = serve(&authority, &["--accept-proxy"]);
    let mut secure = crate::support::tls::Secure::begin(serve.address, &authority);
    std::io::Write::write_all(&mut secure.stream, b"PROXY TCP4 192.0.2.7 192.0.2.1 56324 2012\r\n")
        .expect("it is taken");
    secure.shake_hands().expect("a handshake");
    secure.greets_server();
    secure.asks(1, b"hello");
    secure.closes(1);
    secure.finish();
    serve.kid.logs("connection 1 from 127.0.0.1:");
    serve.kid.logs("belongs to 192.0.2.7:56324");
    serve.kid.logs("ends: clean");
}
