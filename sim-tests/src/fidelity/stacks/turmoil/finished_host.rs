//! A program returns, and its host is asked for something later.

use std::error::Error;
use std::io;
use std::sync::mpsc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{sleep, timeout};
use turmoil::net::{TcpListener, TcpStream};

/// Closes its stream, and returns.
pub(crate) async fn server(stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    drop(stream);
    Ok(())
}

/// Writes to the closed stream, until a write fails, for at most two seconds.
pub(crate) async fn client(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<String> {
    stream.read_to_end(&mut Vec::new()).await?;
    let write = async {
        while stream.write_all(b"late").await.is_ok() {
            sleep(Duration::from_millis(100)).await;
        }
    };
    let learns = timeout(Duration::from_secs(2), write).await.is_ok();
    Ok(format!("the writer {}", if learns { "learns that nobody reads" } else { "learns nothing for 2 s" }))
}

pub(crate) fn on_turmoil() -> Result<String, Box<dyn Error>> {
    let mut sim = turmoil::Builder::new().build();
    let (result, observed) = mpsc::channel();
    // turmoil ends a host with its program.
    sim.client("server", async {
        let listener = TcpListener::bind("0.0.0.0:2012").await?;
        let (stream, _) = listener.accept().await?;
        Ok(server(stream).await?)
    });
    sim.client("client", async move {
        let stream = TcpStream::connect("server:2012").await?;
        result.send(client(stream).await?)?;
        Ok(())
    });
    sim.run()?;
    Ok(observed.recv()?)
}
