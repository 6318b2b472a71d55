//! Servers that drain at random moments under load: a client that reads on gets all bytes that the server has handed to
//! the kernel, and each server ends in time.

use crate::support::raw;
use crate::support::within;
use echo_net::{Echo, Listener, ServerConfig, Transport, serve_until};
use std::collections::HashMap;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until};

/// The longest ending (section 8.1), and extra time for a busy machine.
const BOUND: Duration = Duration::from_secs(8 + 6);
const CLIENTS: usize = 8;
/// Number of drains. `ECHO_NET_DRAINS` sets another.
const DRAINS: u64 = 24;
/// Number of drains at the same time.
const AT_ONCE: usize = 12;

/// Pseudorandom numbers, the same in each run (xorshift64*).
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `end`.
    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// A number from `least` to about `most`. Each power of two is equally likely.
    fn magnitude(&mut self, least: u64, most: u64) -> u64 {
        let steps = (most / least).ilog2();
        let scale = 1 << self.below(u64::from(steps) + 1);
        (least * scale + self.below(least * scale)).min(most)
    }
}

/// Counts the bytes that the server hands to the kernel.
struct Counted {
    stream: TcpStream,
    written: Arc<AtomicUsize>,
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if let Poll::Ready(Ok(count)) = result {
            self.written.fetch_add(count, Ordering::Relaxed);
        }
        result
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Transport for Counted {
    fn unacknowledged(&self) -> Option<usize> {
        self.stream.unacknowledged()
    }

    fn abort(self) {
        self.stream.abort();
    }
}

type Counts = Arc<Mutex<HashMap<SocketAddr, Arc<AtomicUsize>>>>;

struct Counting {
    listener: TcpListener,
    counts: Counts,
}

impl Listener for Counting {
    type Stream = Counted;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> io::Result<(Counted, SocketAddr)> {
        let (stream, peer) = Listener::accept(&mut self.listener).await?;
        let written = Arc::new(AtomicUsize::new(0));
        let address = stream.peer_addr()?;
        self.counts.lock().expect("nobody panics").insert(address, Arc::clone(&written));
        Ok((Counted { stream, written }, peer))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Listener::local_addr(&self.listener)
    }
}

/// The behaviour of a client: its read rate in bytes a second, and what it sends.
struct Habit {
    rate: u64,
    is_framed: bool,
    size: usize,
    count: u64,
}

impl Habit {
    fn draw(draw: &mut Draw) -> Self {
        let rate = draw.magnitude(50_000, 100_000_000);
        let size = draw.magnitude(1, 1 << 20);
        // About as much as it reads in 3 s.
        let count = (3 * rate / (size + 30)).clamp(1, 20_000);
        Self { rate, is_framed: draw.below(2) == 0, size: size as usize, count }
    }

    fn message(&self, seq: u64) -> Vec<u8> {
        let mut payload = vec![b'x'; self.size];
        if self.is_framed {
            return raw::echo(seq, &payload);
        }
        payload[self.size - 1] = b'\n';
        payload
    }
}

/// Sends and reads at the same time until the end. Returns its address, the bytes received, and how it ended.
async fn client(server: SocketAddr, habit: Habit) -> (SocketAddr, usize, io::Result<()>) {
    let stream = TcpStream::connect(server).await.expect("it listens");
    let address = stream.local_addr().expect("it is connected");
    let (mut reading, mut writing) = stream.into_split();
    let rate = habit.rate;
    let writer = tokio::spawn(async move {
        if habit.is_framed && writing.write_all(&raw::hello()).await.is_err() {
            return writing;
        }
        for seq in 1..=habit.count {
            if writing.write_all(&habit.message(seq)).await.is_err() {
                break;
            }
        }
        // The sending half stays open after the last message.
        writing
    });
    let mut bytes = vec![0; (rate as usize / 50).clamp(1, 256 * 1024)];
    let begun = tokio::time::Instant::now();
    let mut all = 0;
    let end = loop {
        match reading.read(&mut bytes).await {
            Ok(0) => break Ok(()),
            Ok(count) => all += count,
            Err(error) => break Err(error),
        }
        sleep_until(begun + Duration::from_secs_f64(all as f64 / rate as f64)).await;
    };
    writer.abort();
    (address, all, end)
}

/// Runs one drain. Returns how long the server took to end.
async fn drain(seed: u64) -> Duration {
    let mut draw = Draw(0x9e37_79b9_7f4a_7c15 ^ (seed + 1));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it listens");
    let counts = Counts::default();
    let (stop, stopped) = oneshot::channel();
    let counting = Counting { listener, counts: Arc::clone(&counts) };
    let server =
        tokio::spawn(serve_until(counting, Echo, ServerConfig::default(), async { drop(stopped.await) }, pending()));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (habit, delay) = (Habit::draw(&mut draw), draw.below(50));
        clients.spawn(async move {
            sleep(Duration::from_millis(delay)).await;
            client(address, habit).await
        });
    }
    // On a busy machine a client may take long to connect.
    within(async {
        while counts.lock().expect("nobody panics").len() < CLIENTS {
            sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    sleep(Duration::from_millis(draw.below(1500))).await;
    let begun = Instant::now();
    let _ = stop.send(());
    let report = within(server).await.expect("it does not panic");
    let took = begun.elapsed();
    assert!(took < BOUND, "seed {seed}: {took:?}, {report}");
    assert_eq!(report.accepted, CLIENTS as u64, "seed {seed}: {report}");
    while let Some(ended) = within(clients.join_next()).await {
        let (address, got, end) = ended.expect("it does not panic");
        let counts = counts.lock().expect("nobody panics");
        let written = counts.get(&address).map_or(0, |count| count.load(Ordering::Relaxed));
        assert_eq!(got, written, "seed {seed}: {end:?}");
        assert!(end.is_ok(), "seed {seed}: {end:?} after {got} B");
    }
    took
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_arrives_whenever_the_server_ends() {
    let asked = std::env::var("ECHO_NET_DRAINS").ok().and_then(|count| count.parse().ok());
    let mut drains = JoinSet::new();
    let mut longest = Duration::ZERO;
    for seed in 0..asked.unwrap_or(DRAINS) {
        if drains.len() >= AT_ONCE
            && let Some(done) = drains.join_next().await
        {
            longest = longest.max(done.expect("a drain as it must be"));
        }
        drains.spawn(drain(seed));
    }
    while let Some(done) = drains.join_next().await {
        longest = longest.max(done.expect("a drain as it must be"));
    }
    eprintln!("the longest ending took {longest:?}");
}
