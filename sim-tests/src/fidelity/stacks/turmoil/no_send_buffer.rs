//! Writes to a peer that does not read.

use super::between::between;
use std::error::Error;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::{sleep, timeout};

/// Does not read.
pub(crate) async fn server(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    // Reads nothing until the client has written all that it can.
    sleep(Duration::from_secs(2)).await;
    stream.flush().await
}

/// Writes until it has to wait.
pub(crate) async fn client(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<String> {
    const MEGABYTES: usize = 64;
    let block = vec![0; 1 << 20];
    for _ in 0..MEGABYTES {
        if timeout(Duration::from_millis(200), stream.write_all(&block)).await.is_err() {
            return Ok(format!("the writer waits before it has written {MEGABYTES} MiB"));
        }
    }
    Ok(format!("the writer writes {MEGABYTES} MiB, and never waits"))
}

pub(crate) fn on_turmoil() -> Result<String, Box<dyn Error>> {
    between(turmoil::Builder::new().tcp_capacity(1000).build(), server, client)
}
