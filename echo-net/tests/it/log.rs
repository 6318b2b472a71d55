//! The server's log: its lines, levels and format.

use crate::support::need;
use crate::support::program::{ECHO_NET, Kid, Serve, piped};
use crate::support::raw::{Raw, hello, reply};
use std::process::Command;

/// `--silent` leaves out only what went well.
#[test]
fn silent_shows_what_went_wrong() {
    let serve = Serve::start(&["--silent"]);
    let mut good = Raw::greeted(serve.address);
    good.asks(1, b"hello");
    good.ends_clean(1);
    drop(Raw::greeted(serve.address));
    let line = serve.kid.logs("connection 2 from");
    assert!(line.contains("WARN") && line.contains("ends: truncated"), "{line}");
    let mut wrong = Raw::greeted(serve.address);
    wrong.send(&reply(1, b"a client does not answer"));
    drop(wrong);
    let line = serve.kid.logs("connection 3 from");
    assert!(line.contains("WARN") && line.contains("ends: violation"), "{line}");
    assert!(!serve.kid.stderr().contains("connection 1"), "{}", serve.kid.stderr());
}

#[test]
fn verbose_shows_the_close_handshake() {
    let serve = Serve::start(&["-v"]);
    let mut client = Raw::greeted(serve.address);
    client.asks(1, b"hello");
    client.ends_clean(1);
    serve.kid.logs("connection 1: the client sent its preface");
    serve.kid.logs("connection 1: the client sent GOAWAY");
    serve.kid.logs("connection 1: the client sent CLOSE");
}

/// So the lines of a connection can be found by its number.
#[test]
fn as_json_each_event_is_an_object_in_a_line() {
    let serve = Serve::start(&["--log-format", "json", "--verbose", "--accept-proxy"]);
    let mut client = Raw::connect(serve.address);
    client.send(b"PROXY TCP4 192.0.2.7 192.0.2.1 56324 2012\r\n");
    client.send(&hello());
    client.hears_preface();
    client.asks(1, b"hello");
    client.ends_clean(1);
    serve.kid.logs("ends: clean");
    let log = serve.kid.stderr();
    for line in log.lines() {
        let event: serde_json::Value = serde_json::from_str(line).expect("an object");
        assert!(event["level"].is_string() && event["connection"] == 1, "{line}");
        assert!(event["message"].as_str().is_some_and(|message| message.starts_with("connection 1")), "{line}");
    }
    for step in ["begins", "belongs to 192.0.2.7:56324", "preface", "GOAWAY", "CLOSE", "ends"] {
        assert!(log.contains(step), "{step}: {log}");
    }
}

/// The message names the connection already.
#[test]
fn as_text_the_number_is_there_once() {
    let serve = Serve::start(&[]);
    drop(Raw::greeted(serve.address));
    let line = serve.kid.logs("ends: truncated");
    assert!(line.contains("WARN connection 1 from ") && !line.contains("connection="), "{line}");
}

/// The plain wire acknowledges nothing, so the log does not call that a loss.
#[test]
fn a_perfect_exchange_of_plain_text_reads_well() {
    if !need("nc") {
        return;
    }
    let serve = Serve::start(&[]);
    let script = "printf 'hello\\n' | nc -N 127.0.0.1 \"$0\"";
    let port = serve.address.port().to_string();
    let (code, out, err) = Kid::spawn(piped(Command::new("sh").args(["-c", script, &port]))).finish();
    assert_eq!(code, Some(0), "{err}");
    assert!(out.ends_with("] hello\n"), "{out}");
    serve.kid.logs("ends: unproven, begun by the peer; 1 answered, delivery unknown");
}

/// Log lines that cannot be written are counted.
#[test]
fn lines_that_nobody_could_read_are_counted() {
    let script = "exec \"$0\" serve --listen 127.0.0.1:0 2>/dev/full";
    let serve = Serve::of(Command::new("sh").args(["-c", script, ECHO_NET]));
    Raw::greeted(serve.address).asks(1, b"hello");
    let (code, report) = serve.drain();
    assert_eq!(code, Some(0));
    assert!(report.ends_with(" lines of the log not written"), "{report}");
}
