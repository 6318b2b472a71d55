//! The polite close, for anybody's stream.

use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

/// How long and how much to read after one's own FIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Linger {
    /// The most time the whole close may take, the flush included.
    pub time: Duration,
    /// The most bytes to read and discard.
    pub bytes: u64,
}

impl Default for Linger {
    /// Two seconds and 1 MiB.
    fn default() -> Self {
        Self { time: Duration::from_secs(2), bytes: 1024 * 1024 }
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
/// peer's FIN within the limits of `linger`, as RFC 9112 section 9.6 tells a server to. Then the stream can be dropped.
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
pub async fn polite_close<S>(stream: &mut S, linger: Linger) -> Closed
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let now = Instant::now();
    // A time that reaches beyond the clock is a day: long enough to be for ever, short enough to be reached.
    let deadline = now.checked_add(linger.time).unwrap_or(now + Duration::from_secs(86_400));
    let flush = match timeout_at(deadline, flush_and_half_close(stream)).await {
        Ok(result) => result,
        Err(_) => {
            let error = io::Error::new(io::ErrorKind::TimedOut, "the peer did not take all output in time");
            return Closed { flush: Err(error), end: PeerEnd::Deadline, discarded: 0 };
        }
    };
    let mut discarded = 0;
    let end = match timeout_at(deadline, read_to_end(stream, linger.bytes, &mut discarded)).await {
        Ok(end) => end,
        Err(_) => PeerEnd::Deadline,
    };
    Closed { flush, end, discarded }
}

async fn flush_and_half_close(stream: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
    stream.flush().await?;
    match stream.shutdown().await {
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
        result => result,
    }
}

async fn read_to_end(stream: &mut (impl AsyncRead + Unpin), most: u64, discarded: &mut u64) -> PeerEnd {
    let mut scratch = vec![0; 16 * 1024];
    loop {
        match stream.read(&mut scratch).await {
            Ok(0) => return PeerEnd::Eof,
            Ok(count) => *discarded += count as u64,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return PeerEnd::Reset,
            Err(error) => return PeerEnd::Failed(error.kind()),
        }
        if *discarded > most {
            return PeerEnd::ByteLimit;
        }
    }
}
