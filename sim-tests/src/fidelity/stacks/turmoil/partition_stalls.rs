//! A network that loses everything for some time, in the middle of a stream.

use super::between::between;
use std::error::Error;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{sleep, timeout};

/// Sends a message that is lost, and one after the network is whole again. `cut` cuts the network, or repairs it.
pub(crate) async fn server(mut stream: impl AsyncWrite + Unpin, cut: impl Fn(bool)) -> io::Result<()> {
    cut(true);
    stream.write_all(b"first").await?;
    sleep(Duration::from_millis(500)).await;
    cut(false);
    stream.write_all(b"second").await?;
    sleep(Duration::from_secs(5)).await;
    stream.shutdown().await
}

/// Reads both messages.
pub(crate) async fn client(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<String> {
    let mut text = [0; 11];
    let read = timeout(Duration::from_secs(4), stream.read_exact(&mut text)).await;
    let what = if read.is_ok() { "both messages" } else { "nothing for 4 s" };
    Ok(format!("the reader gets {what}"))
}

pub(crate) fn on_turmoil() -> Result<String, Box<dyn Error>> {
    let cut = |is_cut| match is_cut {
        true => turmoil::partition("client", "server"),
        false => turmoil::repair("client", "server"),
    };
    between(turmoil::Builder::new().build(), move |stream: turmoil::net::TcpStream| server(stream, cut), client)
}
