//! A second `shutdown` of a stream.

use super::between::between;
use std::error::Error;
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Waits for the end.
pub(crate) async fn server(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    stream.read_to_end(&mut Vec::new()).await?;
    Ok(())
}

/// Shuts down twice.
pub(crate) async fn client(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<String> {
    stream.shutdown().await?;
    let again = stream.shutdown().await.map_err(|error| error.kind());
    Ok(format!("the second shutdown gives {again:?}"))
}

pub(crate) fn on_turmoil() -> Result<String, Box<dyn Error>> {
    between(turmoil::Builder::new().build(), server, client)
}
