//! The protocol on transports other than TCP.

use crate::support::within;
use echo_net::echo_core::Outcome;
use echo_net::{Client, ClientConfig, Echo, Listener, Report, ServerConfig, Transport, serve};
use std::io;
use tokio::io::DuplexStream;
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};

/// One conversation over `stream` with a server at `listener`.
async fn converse<L: Listener>(listener: L, stream: impl Transport) -> (Outcome, Report) {
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(serve(listener, Echo, ServerConfig::default(), async { drop(stopped.await) }));
    let client = Client::start(stream, ClientConfig::default());
    for (seq, message) in (1..).zip(["small".to_owned(), "large ".repeat(50_000), String::new()]) {
        let answer = within(client.request(message.clone())).await.expect("an answer");
        assert!(answer.seq == seq && answer.payload == message.as_bytes());
    }
    let outcome = within(client.close()).await;
    drop(stop);
    (outcome, within(server).await.expect("no panic"))
}

#[track_caller]
fn both_are_clean((outcome, report): (Outcome, Report)) {
    assert_eq!((outcome.end.name(), outcome.account.answered), ("clean", 3), "{outcome}");
    assert_eq!((report.ended("clean"), report.messages), (1, 3), "{report}");
}

#[tokio::test]
async fn a_unix_socket() {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("unix-{}.sock", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path).expect("a local socket");
    let stream = within(UnixStream::connect(&path)).await.expect("it listens");
    let both = converse(listener, stream).await;
    let _ = std::fs::remove_file(&path);
    both_are_clean(both);
}

/// The errors of tokio and the system are clear, so the library adds none.
#[tokio::test]
async fn a_unix_socket_that_cannot_be() {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("used-{}.sock", std::process::id()));
    let _ = std::fs::remove_file(&path);
    drop(UnixListener::bind(&path).expect("a local socket"));
    let error = UnixListener::bind(&path).expect_err("the file is still there");
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse, "{error}");
    std::fs::remove_file(&path).expect("it is there");
    drop(UnixListener::bind(&path).expect("the file was removed"));
    let _ = std::fs::remove_file(&path);
    let error = UnixListener::bind("/tmp/".to_owned() + &"x".repeat(103)).expect_err("108 bytes");
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    assert!(error.to_string().contains("SUN_LEN"), "{error}");
}

/// One server on two listeners has one report.
#[tokio::test]
async fn two_listeners() {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("two-{}.sock", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let tcp = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = tcp.local_addr().expect("it is bound");
    let listeners = (tcp, UnixListener::bind(&path).expect("a local socket"));
    assert_eq!(listeners.local_addr().expect("both are bound").to_string(), address.to_string());
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(serve(listeners, Echo, ServerConfig::default(), async { drop(stopped.await) }));
    let by_tcp = within(Client::connect(address, ClientConfig::default())).await.expect("it listens");
    let by_path = Client::start(within(UnixStream::connect(&path)).await.expect("it listens"), ClientConfig::default());
    for client in [&by_tcp, &by_path, &by_tcp] {
        assert_eq!(within(client.request("hello")).await.expect("an answer").payload, b"hello");
    }
    for client in [by_tcp, by_path] {
        assert!(within(client.close()).await.end.is_clean());
    }
    drop(stop);
    let report = within(server).await.expect("no panic");
    let _ = std::fs::remove_file(&path);
    assert_eq!((report.ended("clean"), report.messages), (2, 3), "{report}");
}

/// A listener that a user implements.
struct Handed(mpsc::Receiver<DuplexStream>);

impl Listener for Handed {
    type Stream = DuplexStream;
    type Addr = &'static str;

    async fn accept(&mut self) -> io::Result<(DuplexStream, &'static str)> {
        match self.0.recv().await {
            Some(stream) => Ok((stream, "this process")),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<&'static str> {
        Ok("this process")
    }
}

/// Clause 4.8: frames may be cut at any byte.
#[tokio::test]
async fn memory_of_any_size() {
    for size in [1, 7, 64 * 1024] {
        let (near, far) = tokio::io::duplex(size);
        let (hand, handed) = mpsc::channel(1);
        hand.send(far).await.expect("there is room");
        both_are_clean(converse(Handed(handed), near).await);
    }
}
