//! yamux: when the connection is lost, `read` of a stream returns 0 bytes, as it does at the end of the stream. So a part of
//! what was sent passes for all of it.
//!
//! Plain tokio sockets. The sender writes a part, and its connection is reset. Prints what the receiver took for all.

use futures_util::{AsyncReadExt, AsyncWriteExt};
use std::future::poll_fn;
use std::io;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::compat::TokioAsyncReadCompatExt;
use yamux::{Config, Connection, Mode};

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let receiver = tokio::spawn(async move { receive(listener.accept().await?.0).await });
    send_a_part(TcpStream::connect(address).await?).await?;
    match tokio::time::timeout(Duration::from_secs(10), receiver).await?? {
        Ok(text) => println!("the receiver took {text:?} for all: the connection was reset before the stream's end"),
        Err(error) => return Err(io::Error::other(format!("the receiver has an error, as it should: {error}"))),
    }
    Ok(())
}

/// Never closes its stream.
async fn send_a_part(socket: TcpStream) -> io::Result<()> {
    socket.set_zero_linger()?;
    let mut connection = Connection::new(socket.compat(), Config::default(), Mode::Client);
    let mut stream = poll_fn(|cx| connection.poll_new_outbound(cx)).await.map_err(io::Error::other)?;
    stream.write_all(b"a part ").await?;
    // The connection writes what the stream has; its own end is not waited for.
    let drive = poll_fn(|cx| connection.poll_next_inbound(cx));
    let _ = tokio::time::timeout(Duration::from_millis(200), drive).await;
    Ok(())
}

async fn receive(socket: TcpStream) -> io::Result<String> {
    let mut connection = Connection::new(socket.compat(), Config::default(), Mode::Server);
    let inbound = poll_fn(|cx| connection.poll_next_inbound(cx)).await;
    let mut stream = inbound.ok_or(io::ErrorKind::UnexpectedEof)?.map_err(io::Error::other)?;
    // As the examples of yamux do it: a task drives the connection.
    tokio::spawn(async move { while let Some(Ok(_)) = poll_fn(|cx| connection.poll_next_inbound(cx)).await {} });
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    Ok(text)
}
