//! The echo/1 protocol over any `AsyncRead + AsyncWrite`.
