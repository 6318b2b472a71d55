//! The reads after a RST has arrived.

use super::between::between;
use std::error::Error;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::sleep;

/// Drops the stream with unread input.
pub(crate) async fn server(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    // The client's request is unread when the stream is dropped, so a RST is sent.
    sleep(Duration::from_millis(500)).await;
    stream.flush().await
}

/// Reads twice when the RST has arrived.
pub(crate) async fn client(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<String> {
    stream.write_all(b"request").await?;
    sleep(Duration::from_secs(1)).await;
    let first = stream.read(&mut [0]).await.map_err(|error| error.kind());
    let second = stream.read(&mut [0]).await.map_err(|error| error.kind());
    Ok(format!("the reads give {first:?}, {second:?}"))
}

pub(crate) fn on_turmoil() -> Result<String, Box<dyn Error>> {
    between(turmoil::Builder::new().build(), server, client)
}
