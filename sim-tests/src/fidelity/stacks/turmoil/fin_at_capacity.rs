//! A FIN that arrives while exactly `tcp_capacity` segments are unread.

use super::between::between;
use std::error::Error;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{sleep, timeout};

/// Sends one segment and FIN.
pub(crate) async fn server(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    stream.write_all(b"answer").await?;
    stream.shutdown().await?;
    // The stream stays open until the client has read.
    stream.read_to_end(&mut Vec::new()).await?;
    Ok(())
}

/// Reads when both have arrived.
pub(crate) async fn client(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<String> {
    // The data and the FIN arrive meanwhile.
    sleep(Duration::from_millis(500)).await;
    let mut text = Vec::new();
    let read = timeout(Duration::from_secs(1), stream.read_to_end(&mut text)).await;
    let end = if read.is_ok() { "the end" } else { "nothing for a second" };
    Ok(format!("the reader gets {} bytes, then {end}", text.len()))
}

pub(crate) fn on_turmoil() -> Result<String, Box<dyn Error>> {
    between(turmoil::Builder::new().tcp_capacity(1).build(), server, client)
}
