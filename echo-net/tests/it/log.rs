//! The server's log: its lines, levels and format.

use crate::support::program::{ECHO_NET, Kid, Serve, piped};
use crate::support::raw::{Raw, hello, reply};
use crate::support::server::server_config;
use crate::support::{need, within};
use echo_net::{Echo, Listener, Metrics, Transport, serve};
use std::io::{self, Read};
use std::pin::Pin;
use std::process::Command;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

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

/// A bug in one connection: the log names the connection, and the others continue.
#[tokio::test]
async fn a_connection_whose_task_panics_is_named() {
    let (mut reader, writer) = io::pipe().expect("a pipe");
    let log = tracing_subscriber::fmt().json().flatten_event(true).with_writer(Arc::new(writer)).finish();
    // All tasks of this test run in its thread.
    let _guard = tracing::subscriber::set_default(log);
    let metrics = Metrics::default();
    let config = server_config(|config| config.metrics = Some(metrics.clone()));
    let report = within(serve(Once(Some(Broken)), Echo, config, async {
        while metrics.read().report.panicked == 0 {
            tokio::task::yield_now().await;
        }
    }))
    .await;
    assert_eq!((report.accepted, report.panicked, metrics.read().open), (1, 1, 0), "{report}");
    let mut log = vec![0; 64 * 1024];
    let count = reader.read(&mut log).expect("it was written to");
    let log = String::from_utf8_lossy(&log[..count]);
    let named = |line: &str| line.contains("the task of connection 1 failed") && line.contains("\"connection\":1");
    assert!(log.lines().any(named), "{log}");
}

/// A transport with a bug.
struct Broken;

impl AsyncRead for Broken {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        panic!("a bug of the transport");
    }
}

impl AsyncWrite for Broken {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Transport for Broken {}

/// A listener with one client.
struct Once(Option<Broken>);

impl Listener for Once {
    type Stream = Broken;
    type Addr = &'static str;

    async fn accept(&mut self) -> io::Result<(Broken, &'static str)> {
        match self.0.take() {
            Some(stream) => Ok((stream, "this process")),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<&'static str> {
        Ok("this process")
    }
}
