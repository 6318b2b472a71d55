//! hyper, HTTP/2: when the keep-alive of the server gives up a silent client, the body of a request under way ends as if it
//! were complete. So a part of an upload passes for the whole.
//!
//! Plain tokio sockets. The client sends a part of a body, and then neither reads nor writes. (What it sends is written out
//! by hand, frame by frame, because a client library would answer the pings.)

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::io;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// What the handler took for a whole body, or the error that it got.
type Body = Result<Bytes, hyper::Error>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (tell, mut told) = unbounded_channel::<Body>();
    tokio::spawn(async move { serve(listener.accept().await?.0, tell).await.map_err(io::Error::other) });
    let mut client = TcpStream::connect(address).await?;
    client.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await?;
    client.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await?; // SETTINGS
    client.write_all(&[0, 0, 0, 4, 1, 0, 0, 0, 0]).await?; // SETTINGS, ACK
    // HEADERS of stream 1: POST, http, /, and no END_STREAM. By number in HPACK's static table.
    client.write_all(&[0, 0, 3, 1, 4, 0, 0, 0, 1, 0x83, 0x86, 0x84]).await?;
    // DATA of stream 1, without END_STREAM.
    client.write_all(&[0, 0, 7, 0, 0, 0, 0, 0, 1]).await?;
    client.write_all(b"a part ").await?;
    match tokio::time::timeout(Duration::from_secs(10), told.recv()).await? {
        Some(Ok(body)) => println!("the handler took {body:?} for the whole: the client never ended its body"),
        other => return Err(io::Error::other(format!("the handler has an error, as it should: {other:?}"))),
    }
    Ok(())
}

async fn serve(socket: TcpStream, tell: UnboundedSender<Body>) -> Result<(), hyper::Error> {
    let service = service_fn(move |request: Request<Incoming>| {
        let tell = tell.clone();
        async move {
            // The handler goes on when its connection ends, as one that has begun a transaction does.
            let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes);
            let _ = tell.send(body);
            Ok::<_, std::convert::Infallible>(Response::new(Full::new(Bytes::new())))
        }
    });
    let mut server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    let (interval, timeout) = (Duration::from_millis(300), Duration::from_millis(300));
    server.timer(TokioTimer::new()).keep_alive_interval(interval).keep_alive_timeout(timeout);
    server.serve_connection(TokioIo::new(socket), service).await
}
