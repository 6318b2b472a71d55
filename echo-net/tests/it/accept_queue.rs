//! Clients that wait to be accepted when the server's shutdown begins.

use crate::support::raw::{close_with, hello};
use crate::support::server::server_config;
use crate::support::within;
use echo_net::echo_core::preface::preface;
use echo_net::echo_core::{CloseCode, Role, frame};
use echo_net::{Echo, Listener, serve};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

/// A listener with clients in its queue after `open` is set. `None` is a client that left before it was accepted.
struct Queue {
    open: Arc<AtomicBool>,
    waiting: VecDeque<Option<DuplexStream>>,
}

impl Listener for Queue {
    type Stream = DuplexStream;
    type Addr = &'static str;

    async fn accept(&mut self) -> io::Result<(DuplexStream, &'static str)> {
        if self.open.load(Ordering::Relaxed)
            && let Some(stream) = self.waiting.pop_front()
        {
            let stream = stream.ok_or(io::ErrorKind::ConnectionAborted)?;
            return Ok((stream, "the queue"));
        }
        std::future::pending().await
    }

    fn local_addr(&self) -> io::Result<&'static str> {
        Ok("the queue")
    }
}

/// They are accepted or refused as far as limits allow, and not dropped, even if others among them have left.
#[tokio::test]
async fn who_waits_to_be_accepted_at_the_shutdown_is_told() {
    let (open, mut near, mut far) = (Arc::new(AtomicBool::new(false)), VecDeque::new(), Vec::new());
    for _ in 0..3 {
        let (one, mut other) = duplex(1024);
        other.write_all(&hello()).await.expect("there is room");
        near.extend([Some(one), None]);
        far.push(other);
    }
    let listener = Queue { open: open.clone(), waiting: near };
    // `serve` polls the shutdown before the listener, so no client is accepted before the shutdown.
    let shutdown = async move { open.store(true, Ordering::Relaxed) };
    let config = server_config(|config| (config.max_connections, config.max_refusals) = (1, 1));
    let close_reason = config.close_reason.clone();
    let server = tokio::spawn(serve(listener, Echo, config, shutdown));

    let welcome = preface(Role::Server, 1);
    let mut goaway = Vec::new();
    frame::goaway(&mut goaway, 0, &close_reason);
    let refusal = close_with(0, CloseCode::TRY_LATER.0, "try again later: all 1 connections are in use");
    for (client, word) in far.iter_mut().zip([goaway, refusal]) {
        let mut said = vec![0; welcome.len() + word.len()];
        within(client.read_exact(&mut said)).await.expect("it is told");
        assert_eq!(said, [&welcome[..], &word].concat());
    }
    let mut rest = Vec::new();
    within(far[2].read_to_end(&mut rest)).await.expect("an end");
    assert_eq!(rest, b"", "there was no room for it");
    drop(far);
    let report = within(server).await.expect("no panic");
    assert_eq!((report.accepted, report.refused_connections, report.accept_errors), (2, 1, 1), "{report}");
}
