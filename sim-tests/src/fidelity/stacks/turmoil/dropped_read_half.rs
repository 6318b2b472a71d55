//! The read half of a split stream is dropped, and the write half goes on.

use super::between::between;
use std::error::Error;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::sleep;

/// Drops the read half of a stream that was split into the two, with unread input, and goes on to write.
pub(crate) async fn server(reader: impl AsyncRead, mut writer: impl AsyncWrite + Unpin) -> io::Result<()> {
    // The client's message arrives meanwhile.
    sleep(Duration::from_millis(500)).await;
    drop(reader);
    sleep(Duration::from_millis(500)).await;
    // The client sees what comes of it.
    let _ = writer.write_all(b"answer").await;
    sleep(Duration::from_secs(1)).await;
    Ok(())
}

/// Sends a message, and reads the answer.
pub(crate) async fn client(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<String> {
    stream.write_all(b"message").await?;
    let answer = stream.read(&mut [0; 64]).await.map_err(|error| error.kind());
    Ok(format!("the peer reads {answer:?}"))
}

pub(crate) fn on_turmoil() -> Result<String, Box<dyn Error>> {
    let halves = |stream: turmoil::net::TcpStream| {
        let (reader, writer) = stream.into_split();
        server(reader, writer)
    };
    between(turmoil::Builder::new().build(), halves, client)
}
