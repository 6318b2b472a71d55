//! The stream below TLS, whose first byte shows whether the peer speaks TLS at all.

use echo_core::Violation;
use echo_core::error::escape;
use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The first byte of a record with an alert, and of one with a handshake (RFC 8446, section 5.1).
const RECORDS: [u8; 2] = [0x15, 0x16];
/// The first byte of a framed client or server without TLS.
const PREFACE: u8 = 0x89;
/// A record with the fatal alert `unexpected_message`. Without it the peer would not learn that TLS is spoken here.
const ALERT: [u8; 7] = [0x15, 3, 3, 0, 2, 2, 10];
/// Bytes of the peer that a message shows.
const SHOWN: usize = 20;

/// A stream that refuses a peer whose first byte begins no TLS record.
#[derive(Debug)]
pub(super) struct Checked<T> {
    /// `None` after an abort.
    pub(super) stream: Option<T>,
    /// The first byte was received.
    begun: bool,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Checked<T> {
    pub(super) fn new(stream: T) -> Self {
        Self { stream: Some(stream), begun: false }
    }

    fn pinned(&mut self) -> io::Result<Pin<&mut T>> {
        self.stream.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

/// The peer ended without a byte.
#[derive(Debug)]
struct Silent;

impl fmt::Display for Silent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the peer ended the connection without a TLS handshake")
    }
}

impl std::error::Error for Silent {}

/// Returns whether the peer ended without a byte.
pub(super) fn is_silent(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|error| error.is::<Silent>())
}

/// Returns what the peer sent instead of TLS, or `None` if it is TLS.
fn foreign(first: &[u8]) -> Option<Violation> {
    let got = match first {
        [byte, ..] if RECORDS.contains(byte) => return None,
        [PREFACE, ..] => "a preface of echo/1 without TLS".to_owned(),
        // How a server refuses a client that does not begin with the preface (clause 2.6).
        bytes if bytes.starts_with(b"echo: ") => "the refusal of an echo/1 server without TLS".to_owned(),
        bytes => format!("\"{}\" without TLS", escape(bytes, SHOWN)),
    };
    Some(Violation::protocol("a TLS handshake", got))
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for Checked<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(self.pinned()?.poll_read(cx, buffer))?;
        if self.begun {
            return Poll::Ready(Ok(()));
        }
        let came = &buffer.filled()[before..];
        if came.is_empty() {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::UnexpectedEof, Silent)));
        }
        self.begun = true;
        match foreign(came) {
            None => Poll::Ready(Ok(())),
            Some(violation) => {
                // It is sent if the stream takes it at once: the peer is refused in any case.
                let _ = self.pinned()?.poll_write(cx, &ALERT);
                Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, violation)))
            }
        }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Checked<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.pinned()?.poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.pinned()?.poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pinned()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pinned()?.poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::foreign;

    #[test]
    fn what_is_no_tls_is_named() {
        let got = |first| foreign(first).map(|violation| violation.got.into_owned());
        assert_eq!(got(b"\x16\x03\x01\x02\x00"), None);
        assert_eq!(got(b"\x89ECHO\r\n\x01").as_deref(), Some("a preface of echo/1 without TLS"));
        let refusal = got(b"echo: expected the preface of echo/1, got a TLS hello\n");
        assert_eq!(refusal.as_deref(), Some("the refusal of an echo/1 server without TLS"));
        assert_eq!(got(b"\x1b[2J").as_deref(), Some("\"\\x1b[2J\" without TLS"));
        let long = got(b"GET /index.html HTTP/1.1\r\n");
        assert_eq!(long.as_deref(), Some("\"GET /index.html HTTP…\" without TLS"));
    }
}
