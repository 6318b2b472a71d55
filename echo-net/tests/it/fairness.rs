//! Connections that send much do not delay those that send little.

use crate::support::time::HEADER;
use crate::support::within;
use echo_net::{Echo, Listener, ServerConfig, Transport, serve};
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex};

/// Number of clients that flood the server.
const FLOODS: usize = 8;
/// Messages in a turn (`turns.rs`).
const TURN: usize = 256;
const ROUND_TRIPS: usize = 500;
/// A flood ends after this many answers, so that an unfair server makes the test fail and not hang.
const MOST: usize = 10_000_000;

/// One of a server's clients.
enum Client {
    /// Sends newlines as fast as they are read, and accepts every answer at once.
    Flood(Arc<AtomicUsize>),
    Modest(DuplexStream),
}

impl AsyncRead for Client {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Flood(written) if written.load(Ordering::Relaxed) > MOST * (HEADER + 1) => Poll::Pending,
            Self::Flood(_) => {
                buffer.initialize_unfilled().fill(b'\n');
                buffer.set_filled(buffer.capacity());
                Poll::Ready(Ok(()))
            }
            Self::Modest(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Client {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Flood(written) => {
                written.fetch_add(bytes.len(), Ordering::Relaxed);
                Poll::Ready(Ok(bytes.len()))
            }
            Self::Modest(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Flood(_) => Poll::Ready(Ok(())),
            Self::Modest(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

impl Transport for Client {}

struct Clients(VecDeque<Client>);

impl Listener for Clients {
    type Stream = Client;
    type Addr = &'static str;

    async fn accept(&mut self) -> io::Result<(Client, &'static str)> {
        match self.0.pop_front() {
            Some(client) => Ok((client, "a client")),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<&'static str> {
        Ok("a client")
    }
}

/// Floods never end during the test, so a server that serves one of them to its end never serves the others.
#[tokio::test(start_paused = true)]
async fn a_round_trip_beside_floods_waits_for_few_of_their_messages() {
    let written = Arc::new(AtomicUsize::new(0));
    let (modest, far) = duplex(1024);
    let clients = (0..FLOODS).map(|_| Client::Flood(written.clone())).chain([Client::Modest(far)]).collect();
    let server = tokio::spawn(serve(Clients(clients), Echo, ServerConfig::default(), std::future::pending()));

    // In a task like all others, because the runtime polls its main future less often.
    let (most, all) = within(tokio::spawn(converse(modest, written))).await.expect("no panic");
    // At the beginning each connection has a share that it can use without waiting in line.
    assert!(most <= 2 * FLOODS * TURN, "{most} other messages were answered while one waited");
    let fair = ROUND_TRIPS * TURN;
    assert!(all >= fair, "the floods are served, too: {all} of {fair} messages");
    server.abort();
}

/// Returns how many flood messages were answered during one round trip at most, and in total.
async fn converse(mut modest: DuplexStream, written: Arc<AtomicUsize>) -> (usize, usize) {
    let answers = || written.load(Ordering::Relaxed) / (HEADER + 1);
    let mut most = 0;
    for _ in 0..ROUND_TRIPS {
        let before = answers();
        modest.write_all(b"my turn\n").await.expect("there is room");
        let mut answer = [0; HEADER + 8];
        within(modest.read_exact(&mut answer)).await.expect("an answer");
        assert_eq!(&answer[HEADER..], b"my turn\n");
        most = most.max(answers() - before);
    }
    (most, answers())
}
