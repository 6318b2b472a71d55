//! Two writes, and one read when both have arrived.

use super::between::between;
use std::error::Error;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::sleep;

/// Writes twice.
pub(crate) async fn server(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    stream.write_all(b"one").await?;
    stream.write_all(b"two").await?;
    // The stream stays open until the client has read.
    stream.read_to_end(&mut Vec::new()).await?;
    Ok(())
}

/// Reads once, when both have arrived.
pub(crate) async fn client(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<String> {
    sleep(Duration::from_millis(500)).await;
    let count = stream.read(&mut [0; 64]).await?;
    Ok(format!("the read gives {count} bytes"))
}

pub(crate) fn on_turmoil() -> Result<String, Box<dyn Error>> {
    between(turmoil::Builder::new().build(), server, client)
}
