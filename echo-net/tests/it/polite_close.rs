//! The polite close, for each way its reading can end.

use crate::support::within;
use echo_net::{Linger, PeerEnd, Transport, polite_close};
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// Two ends of a connection; the far one with a receive buffer of so many bytes, if that is said.
async fn pair(receive_buffer: Option<u32>) -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let socket = TcpSocket::new_v4().expect("a socket");
    if let Some(size) = receive_buffer {
        socket.set_recv_buffer_size(size).expect("an option can be set");
    }
    let far = socket.connect(listener.local_addr().expect("it listens")).await.expect("it listens");
    let (near, _) = listener.accept().await.expect("a connection");
    (near, far)
}

fn linger(time: Duration, bytes: u64) -> Linger {
    let mut linger = Linger::default();
    (linger.time, linger.most, linger.bytes) = (time, Duration::from_secs(25), bytes);
    linger
}

const LONG: Duration = Duration::from_secs(25);

#[tokio::test]
async fn eof() {
    let (mut near, mut far) = pair(None).await;
    near.write_all(b"the last answer").await.expect("it is open");
    let peer = tokio::spawn(async move {
        let mut all = String::new();
        far.read_to_string(&mut all).await.expect("it ends by FIN");
        far.write_all(b"unwanted").await.expect("the near end still reads");
        all
    });
    let closed = within(polite_close(&mut near, linger(LONG, 100))).await;
    assert_eq!((closed.end, closed.discarded), (PeerEnd::Eof, 8));
    closed.flush.expect("all was handed over");
    assert_eq!(peer.await.expect("no panic"), "the last answer");
}

#[tokio::test]
async fn reset() {
    let (mut near, mut far) = pair(None).await;
    let closing = tokio::spawn(async move { polite_close(&mut near, linger(LONG, 100)).await });
    assert_eq!(within(far.read(&mut [0])).await.expect("FIN"), 0, "the near end has half-closed");
    far.set_zero_linger().expect("an option can be set");
    drop(far);
    let closed = within(closing).await.expect("no panic");
    assert_eq!(closed.end, PeerEnd::Reset);
    closed.flush.expect("FIN was sent before");
}

#[tokio::test]
async fn deadline() {
    let (mut near, mut far) = pair(None).await;
    far.write_all(b"and no FIN").await.expect("it is open");
    let closed = within(polite_close(&mut near, linger(Duration::from_millis(200), 100))).await;
    assert_eq!(closed.end, PeerEnd::Deadline);
    closed.flush.expect("FIN was sent in time");
    assert_eq!(closed.discarded, 10);
}

#[tokio::test]
async fn byte_limit_on_both_sides_of_it() {
    for (sent, end) in [(99, PeerEnd::Eof), (100, PeerEnd::Eof), (101, PeerEnd::ByteLimit)] {
        let (mut near, mut far) = pair(None).await;
        far.write_all(&vec![b'x'; sent]).await.expect("it is open");
        far.shutdown().await.expect("it is open");
        let closed = within(polite_close(&mut near, linger(LONG, 100))).await;
        assert_eq!((closed.end, closed.discarded), (end, sent as u64));
        closed.flush.expect("FIN was sent");
    }
}

/// No time at all still does what can be done without waiting, and ends.
#[tokio::test]
async fn no_time_is_no_reason_to_hang() {
    let (mut near, mut far) = pair(None).await;
    let closed = within(polite_close(&mut near, linger(Duration::ZERO, 100))).await;
    assert_eq!(closed.end, PeerEnd::Deadline);
    assert_eq!(within(far.read(&mut [0])).await.expect("FIN"), 0);
}

/// 64 KiB to a peer whose kernel takes 4 KiB, with unread input: what an immediate close would destroy (clause 5.5).
#[tokio::test]
async fn a_large_answer_survives_unread_input() {
    const ANSWER: usize = 64 * 1024;
    for polite in [true, false] {
        let (mut near, mut far) = pair(Some(4096)).await;
        far.write_all(b"a request, and more that nobody reads").await.expect("it is open");
        assert_eq!(within(near.read(&mut [0; 9])).await.expect("a request"), 9);
        within(near.write_all(&vec![b'x'; ANSWER])).await.expect("the send buffer takes it");
        let closing = tokio::spawn(async move {
            match polite {
                true => Some(polite_close(&mut near, linger(LONG, 100)).await),
                // The control, of which nothing is asserted: what the kernel makes of it is not ours.
                false => None,
            }
        });
        if !polite {
            closing.await.expect("no panic");
            let mut all = Vec::new();
            let end = within(far.read_to_end(&mut all)).await;
            eprintln!("an immediate close: {} of {ANSWER} bytes came, then {end:?}", all.len());
            continue;
        }
        let mut all = Vec::new();
        within(far.read_to_end(&mut all)).await.expect("it ends by FIN");
        assert_eq!(all.len(), ANSWER);
        drop(far);
        let closed = within(closing).await.expect("no panic").expect("it was polite");
        assert_eq!((closed.end, closed.discarded), (PeerEnd::Eof, 28));
    }
}

/// A stream that does what it is told.
#[derive(Default)]
struct Told {
    reads: VecDeque<io::Result<usize>>,
    flush: Option<ErrorKind>,
    flush_hangs: bool,
    shutdown: Option<ErrorKind>,
    shut: usize,
}

impl AsyncRead for Told {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.reads.pop_front() {
            Some(Ok(count)) => {
                into.put_slice(&vec![0; count]);
                Poll::Ready(Ok(()))
            }
            Some(Err(error)) => Poll::Ready(Err(error)),
            None => Poll::Pending,
        }
    }
}

impl AsyncWrite for Told {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.flush {
            _ if self.flush_hangs => Poll::Pending,
            Some(kind) => Poll::Ready(Err(kind.into())),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shut += 1;
        Poll::Ready(self.shutdown.map_or(Ok(()), |kind| Err(kind.into())))
    }
}

impl Transport for Told {}

/// Clause 8.6: the peer takes what it is sent, and longer than `time` in all; then one that takes nothing more.
#[tokio::test]
async fn a_slow_reader_is_waited_for() {
    /// More than both kernels hold here.
    const ANSWER: usize = 400_000;
    let time = Duration::from_millis(300);
    for reads_all in [true, false] {
        let (mut near, mut far) = pair(Some(4096)).await;
        within(near.write_all(&vec![b'x'; ANSWER])).await.expect("the send buffer takes it");
        let closing = tokio::spawn(async move {
            let began = std::time::Instant::now();
            (polite_close(&mut near, linger(time, 100)).await, began.elapsed())
        });
        let mut bytes = vec![0; 8 * 1024];
        let mut all = 0;
        let most = if reads_all { ANSWER } else { ANSWER / 4 };
        while all < most {
            let read = within(far.read(&mut bytes[..(most - all).min(8 * 1024)])).await;
            all += read.expect("no reset");
            // About 330 KB/s: 100 KB within `time`.
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        if reads_all {
            assert_eq!(within(far.read(&mut bytes)).await.expect("FIN"), 0);
            drop(far);
        }
        let (closed, took) = within(closing).await.expect("no panic");
        assert_eq!(closed.end, if reads_all { PeerEnd::Eof } else { PeerEnd::Deadline });
        assert!(took > time, "it took {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_that_fails() {
    let reads = [Ok(5), Err(ErrorKind::Interrupted.into()), Ok(6), Err(ErrorKind::HostUnreachable.into())].into();
    let mut told = Told { reads, ..Told::default() };
    let closed = within(polite_close(&mut told, Linger::default())).await;
    assert_eq!((closed.end, closed.discarded), (PeerEnd::Failed(ErrorKind::HostUnreachable), 11));
    closed.flush.expect("it was fine");
    assert_eq!(told.shut, 1);
}

#[tokio::test(start_paused = true)]
async fn a_flush_that_fails_is_told_and_the_peer_is_read_all_the_same() {
    let mut told = Told { flush: Some(ErrorKind::BrokenPipe), reads: [Ok(3), Ok(0)].into(), ..Told::default() };
    let closed = within(polite_close(&mut told, Linger::default())).await;
    assert_eq!(closed.flush.map_err(|error| error.kind()), Err(ErrorKind::BrokenPipe));
    assert_eq!((closed.end, closed.discarded), (PeerEnd::Eof, 3));
}

#[tokio::test(start_paused = true)]
async fn a_flush_that_hangs_ends_at_the_deadline() {
    let mut told = Told { flush_hangs: true, ..Told::default() };
    let closed = within(polite_close(&mut told, Linger::default())).await;
    assert_eq!(closed.flush.map_err(|error| error.kind()), Err(ErrorKind::TimedOut));
    assert_eq!((closed.end, closed.discarded), (PeerEnd::Deadline, 0));
}

#[tokio::test(start_paused = true)]
async fn a_half_close_that_fails() {
    for (kind, flush) in [(ErrorKind::NotConnected, Ok(())), (ErrorKind::Other, Err(ErrorKind::Other))] {
        let mut told = Told { shutdown: Some(kind), reads: [Ok(0)].into(), ..Told::default() };
        let closed = within(polite_close(&mut told, Linger::default())).await;
        assert_eq!(closed.flush.map_err(|error| error.kind()), flush);
        assert_eq!(closed.end, PeerEnd::Eof);
    }
}
