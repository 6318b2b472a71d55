//! The polite (lingering) close, for any stream.

use crate::transport::Transport;
use echo_core::Config;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::ReadBuf;
use tokio::time::{Instant, sleep_until};

/// Limits of the reading after this side's FIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Linger {
    /// Length of the wait for the peer, including the flush. When it passes, it starts again if the peer has meanwhile
    /// acknowledged 16 KiB of the output, on a transport that can count that ([`Transport::unacknowledged`]).
    pub time: Duration,
    /// Maximum length of the whole close, however much the peer takes.
    pub most: Duration,
    /// Maximum bytes to read and discard.
    pub bytes: u64,
}

impl Default for Linger {
    /// 2 s, 8 s in all, and 1 MiB.
    fn default() -> Self {
        Self { time: Duration::from_secs(2), most: Duration::from_secs(8), bytes: 1024 * 1024 }
    }
}

/// Result of a polite close.
#[derive(Debug)]
#[non_exhaustive]
pub struct Closed {
    /// Whether all output and then FIN were handed to the transport. An error of kind
    /// [`TimedOut`](io::ErrorKind::TimedOut) means that the time ran out.
    pub flush: io::Result<()>,
    /// Why the reading stopped.
    pub end: PeerEnd,
    /// Bytes read and discarded.
    pub discarded: u64,
}

/// Why the reading after this side's FIN stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerEnd {
    /// The peer's FIN: it sends no more. It does not prove that the peer has read everything.
    Eof,
    /// The peer reset the connection: output sent last may be lost.
    Reset,
    /// The time ran out.
    Deadline,
    /// The peer sent more bytes than allowed.
    ByteLimit,
    /// Reading failed with another error.
    Failed(io::ErrorKind),
}

/// Ends this side's direction of `stream` so that RST loses no output: it flushes, half-closes, and reads until the
/// peer's FIN within the limits of `linger`, as RFC 9112 section 9.6 requires of a server. Then the stream can be
/// dropped: the kernel still delivers the rest, if no input is unread.
///
/// If a TCP socket is closed with unread input, or input arrives later, the kernel sends RST. RST destroys data that
/// the peer has not read yet.
///
/// If the future is dropped early, the stream may be flushed or half-closed. A second call continues from there. A
/// transport that reports a second half-close as an error ([`NotConnected`](io::ErrorKind::NotConnected)) counts as
/// half-closed.
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

/// The remaining time to wait for a peer.
struct Patience {
    time: Duration,
    due: Instant,
    end: Instant,
    /// Bytes that the peer had not acknowledged at the last look.
    left: Option<usize>,
}

impl Patience {
    fn begin(linger: Linger, stream: &impl Transport) -> Self {
        let now = Instant::now();
        let end = after(now, linger.most);
        Self { time: linger.time, due: after(now, linger.time).min(end), end, left: stream.unacknowledged() }
    }

    /// Returns what `poll` returns, or `None` if the time runs out.
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
        // The same progress as in a conversation: PROTOCOL.md, clause 8.6.
        taken >= Config::default().progress && now < self.end
    }
}

/// Adds `time`, or a day if the sum is out of the clock's range.
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
