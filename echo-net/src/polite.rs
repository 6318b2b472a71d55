//! The polite close, for anybody's stream.

use crate::transport::Transport;
use echo_core::Config;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::ReadBuf;
use tokio::time::{Instant, sleep_until};

/// How long and how much to read after one's own FIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Linger {
    /// How long to wait for the peer, the flush included. It begins anew when it has passed and the peer has taken
    /// 16 KiB of the output meanwhile, on a transport that can tell ([`Transport::unacknowledged`]).
    pub time: Duration,
    /// The most time the whole close may take, however much the peer takes.
    pub most: Duration,
    /// The most bytes to read and discard.
    pub bytes: u64,
}

impl Default for Linger {
    /// Two seconds, eight in all, and 1 MiB.
    fn default() -> Self {
        Self { time: Duration::from_secs(2), most: Duration::from_secs(8), bytes: 1024 * 1024 }
    }
}

/// How a polite close went.
#[derive(Debug)]
pub struct Closed {
    /// Whether everything written was handed to the transport, and FIN behind it. An error says that it was not:
    /// of kind [`TimedOut`](io::ErrorKind::TimedOut) if the time ran out.
    pub flush: io::Result<()>,
    /// Why the reading stopped.
    pub end: PeerEnd,
    /// Bytes read and discarded.
    pub discarded: u64,
}

/// Why the reading after one's own FIN stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerEnd {
    /// The peer's FIN: it has sent all it wanted to. It does not prove that it has read all it was sent.
    Eof,
    /// The peer reset the connection: what was sent last may be lost.
    Reset,
    /// The time ran out.
    Deadline,
    /// More than the allowed bytes came.
    ByteLimit,
    /// Reading failed otherwise.
    Failed(io::ErrorKind),
}

/// Ends one's own direction of `stream` so that nothing sent is lost to a RST: flush, half-close, then read until the
/// peer's FIN within the limits of `linger`, as RFC 9112 section 9.6 tells a server to. Then the stream can be dropped:
/// a kernel goes on delivering what the peer has not taken, as long as nothing is unread.
///
/// Closing a TCP socket while input is unread, or before it comes, makes the kernel send RST, and that destroys data
/// the peer has not read yet.
///
/// If the future is dropped before it is ready, the stream is left where it was: perhaps flushed, perhaps half-closed;
/// calling it again is allowed and goes on from there. A transport that reports a second half-close as an error
/// ([`NotConnected`](io::ErrorKind::NotConnected)) is taken as half-closed.
///
/// ```
/// use echo_net::{Linger, PeerEnd, polite_close};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
/// # runtime.block_on(async {
/// let (mut near, mut far) = tokio::io::duplex(64);
/// near.write_all(b"the answer").await?;
/// let peer = async move {
///     let mut all = String::new();
///     far.read_to_string(&mut all).await?;
///     Ok::<_, std::io::Error>(all) // `far` is dropped here: its FIN
/// };
/// let (closed, all) = tokio::join!(polite_close(&mut near, Linger::default()), peer);
/// assert_eq!(closed.end, PeerEnd::Eof);
/// assert_eq!(all?, "the answer");
/// # std::io::Result::Ok(())
/// # })?;
/// # std::io::Result::Ok(())
/// ```
pub async fn polite_close<S: Transport>(stream: &mut S, linger: Linger) -> Closed {
    let mut patience = Patience::begin(linger, stream);
    let mut flushed = false;
    let flush = patience.wait(stream, |stream, cx| poll_flush_and_half_close(stream, cx, &mut flushed)).await;
    let Some(flush) = flush else {
        let error = io::Error::new(io::ErrorKind::TimedOut, "the peer did not take all output in time");
        return Closed { flush: Err(error), end: PeerEnd::Deadline, discarded: 0 };
    };
    let mut discarded = 0;
    let mut scratch = vec![0; 16 * 1024];
    let read = |stream: Pin<&mut S>, cx: &mut Context<'_>| {
        poll_read_to_end(stream, cx, &mut scratch, linger.bytes, &mut discarded)
    };
    let end = patience.wait(stream, read).await.unwrap_or(PeerEnd::Deadline);
    Closed { flush, end, discarded }
}

/// How long to wait for a peer.
struct Patience {
    time: Duration,
    due: Instant,
    end: Instant,
    /// What the peer had not taken at the last look.
    left: Option<usize>,
}

impl Patience {
    fn begin(linger: Linger, stream: &impl Transport) -> Self {
        let now = Instant::now();
        let end = after(now, linger.most);
        Self { time: linger.time, due: after(now, linger.time).min(end), end, left: stream.unacknowledged() }
    }

    /// What `poll` gives, or nothing if it takes too long.
    async fn wait<S: Transport, T>(
        &mut self,
        stream: &mut S,
        mut poll: impl FnMut(Pin<&mut S>, &mut Context<'_>) -> Poll<T>,
    ) -> Option<T> {
        let mut alarm = pin!(sleep_until(self.due));
        poll_fn(|cx| {
            if let Poll::Ready(done) = poll(Pin::new(stream), cx) {
                return Poll::Ready(Some(done));
            }
            while alarm.as_mut().poll(cx).is_ready() {
                if !self.begins_anew(stream) {
                    return Poll::Ready(None);
                }
                alarm.as_mut().reset(self.due);
            }
            Poll::Pending
        })
        .await
    }

    fn begins_anew(&mut self, stream: &impl Transport) -> bool {
        let before = std::mem::replace(&mut self.left, stream.unacknowledged());
        let taken = before.unwrap_or(0).saturating_sub(self.left.unwrap_or(usize::MAX));
        let now = Instant::now();
        self.due = after(now, self.time).min(self.end);
        // As much as in a conversation: PROTOCOL.md, clause 8.6.
        taken >= Config::default().progress && now < self.end
    }
}

/// A time that reaches beyond the clock is a day: long enough to be for ever, short enough to be reached.
fn after(now: Instant, time: Duration) -> Instant {
    now.checked_add(time).unwrap_or(now + Duration::from_secs(86_400))
}

fn poll_flush_and_half_close<S: Transport>(
    mut stream: Pin<&mut S>,
    cx: &mut Context<'_>,
    flushed: &mut bool,
) -> Poll<io::Result<()>> {
    if !*flushed {
        ready!(stream.as_mut().poll_flush(cx))?;
        *flushed = true;
    }
    match ready!(stream.poll_shutdown(cx)) {
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Poll::Ready(Ok(())),
        result => Poll::Ready(result),
    }
}

fn poll_read_to_end<S: Transport>(
    mut stream: Pin<&mut S>,
    cx: &mut Context<'_>,
    scratch: &mut [u8],
    most: u64,
    discarded: &mut u64,
) -> Poll<PeerEnd> {
    loop {
        let mut buffer = ReadBuf::new(scratch);
        match ready!(stream.as_mut().poll_read(cx, &mut buffer)) {
            Ok(()) if buffer.filled().is_empty() => return Poll::Ready(PeerEnd::Eof),
            Ok(()) => *discarded += buffer.filled().len() as u64,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Poll::Ready(PeerEnd::Reset),
            Err(error) => return Poll::Ready(PeerEnd::Failed(error.kind())),
        }
        if *discarded > most {
            return Poll::Ready(PeerEnd::ByteLimit);
        }
    }
}
