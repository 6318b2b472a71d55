//! The servers. Each echoes on a runtime of one thread, with the same socket options.

use fastwebsockets::{Frame, OpCode, Payload, Role, WebSocket};
use futures_util::StreamExt;
use std::cell::RefCell;
use std::future::Future;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::codec::{Framed, LengthDelimitedCodec};

use crate::wire::UPGRADED;

/// A server to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Peer {
    /// `echo_net::serve` with `Echo`.
    Echo,
    /// The same server of another build of this program (`--before`).
    #[value(skip)]
    Before,
    /// `echo_net::serve` with a function that returns its request: a call of its own for each message.
    Service,
    /// A read buffer of 16 KiB for each connection, and `write_all`.
    Raw16k,
    /// The same with 256 KiB.
    Raw256k,
    /// One buffer of 256 KiB for all connections, used inside a poll.
    RawShared,
    /// tokio-util's LengthDelimitedCodec: `stream.forward(sink)`.
    LengthDelimited,
    /// tokio-tungstenite: `stream.forward(sink)`.
    Tungstenite,
    /// fastwebsockets: a loop of `read_frame` and `write_frame`.
    Fastwebsockets,
    /// C and epoll: frames of echo/1 with stamps, without limits, deadlines or an end.
    Floor,
    /// The same server, with the load of `echo_net::exchange` instead of the neutral generator's.
    #[value(skip)]
    Library,
}

impl Peer {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Before => "echo before",
            Self::Service => "echo as a function",
            Self::Raw16k => "raw tokio, 16 KiB",
            Self::Raw256k => "raw tokio, 256 KiB",
            Self::RawShared => "raw tokio, one buffer",
            Self::LengthDelimited => "LengthDelimitedCodec",
            Self::Tungstenite => "tungstenite",
            Self::Fastwebsockets => "fastwebsockets",
            Self::Floor => "C, stamped frames",
            Self::Library => "the client library",
        }
    }
}

/// Serves until the process is ended. Prints the port first.
pub(crate) fn serve(peer: Peer) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Each as a task: others wake one cheaply, and the future of `block_on` by a system call.
    let served = runtime.spawn(async move {
        match peer {
            Peer::Echo => return ours(echo_net::Echo).await,
            Peer::Service => return ours(echo_net::service_fn(same)).await,
            _ => (),
        }
        let listener = echo_net::listen_tcp("0.0.0.0:0").await?;
        println!("{}", listener.local_addr()?.port());
        match peer {
            Peer::Raw16k => accept(listener, |stream| raw(stream, 16 * 1024)).await,
            Peer::Raw256k => accept(listener, |stream| raw(stream, 256 * 1024)).await,
            Peer::RawShared => accept(listener, raw_shared).await,
            Peer::LengthDelimited => accept(listener, length_delimited).await,
            Peer::Tungstenite => accept(listener, tungstenite).await,
            Peer::Fastwebsockets => accept(listener, fastwebsockets).await,
            Peer::Echo | Peer::Service | Peer::Before | Peer::Floor | Peer::Library => {
                Err(io::Error::other("this is no server of this program"))
            }
        }
    });
    runtime.block_on(served).map_err(io::Error::other)?
}

async fn ours(service: impl echo_net::Service) -> io::Result<()> {
    let listeners = echo_net::TcpListeners::bind("0.0.0.0:0").await?;
    println!("{}", echo_net::Listener::local_addr(&listeners)?.port());
    let mut config = echo_net::ServerConfig::default();
    config.max_connections = 20_000;
    echo_net::serve(listeners, service, config, std::future::pending()).await;
    Ok(())
}

async fn same(request: echo_net::Request) -> Result<echo_net::Response, std::convert::Infallible> {
    Ok(echo_net::Response::new(request.payload))
}

async fn accept<F>(listener: TcpListener, serve: impl Fn(TcpStream) -> F) -> io::Result<()>
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    loop {
        let (stream, _) = listener.accept().await?;
        // TCP_NODELAY and TCP_NOTSENT_LOWAT are the listener's, as at our server.
        tokio::spawn(serve(stream));
    }
}

async fn raw(mut stream: TcpStream, size: usize) -> io::Result<()> {
    let mut buffer = vec![0; size];
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..count]).await?;
    }
}

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; 256 * 1024]);
}

async fn raw_shared(mut stream: TcpStream) -> io::Result<()> {
    loop {
        stream.readable().await?;
        let rest = BUFFER.with_borrow_mut(|buffer| match stream.try_read(buffer) {
            Ok(0) => Ok(None),
            Ok(count) => match stream.try_write(&buffer[..count]) {
                Ok(written) => Ok(Some(buffer[written..count].to_vec())),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Some(buffer[..count].to_vec())),
                Err(error) => Err(error),
            },
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Some(Vec::new())),
            Err(error) => Err(error),
        })?;
        let Some(rest) = rest else { return Ok(()) };
        stream.write_all(&rest).await?;
    }
}

async fn length_delimited(stream: TcpStream) -> io::Result<()> {
    let mut codec = LengthDelimitedCodec::new();
    codec.set_max_frame_length(16 << 20);
    let (sink, stream) = Framed::new(stream, codec).split();
    stream.map(|message| message.map(|bytes| bytes.freeze())).forward(sink).await
}

async fn tungstenite(stream: TcpStream) -> io::Result<()> {
    let socket = tokio_tungstenite::accept_async(stream).await.map_err(io::Error::other)?;
    let (sink, stream) = socket.split();
    // A `Close` is answered by the library, not by the echo.
    let echoed = stream.filter(|message| {
        let is_data = message.as_ref().map_or(true, |message| message.is_binary() || message.is_text());
        std::future::ready(is_data)
    });
    echoed.forward(sink).await.map_err(io::Error::other)
}

async fn fastwebsockets(mut stream: TcpStream) -> io::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    stream.write_all(UPGRADED).await?;
    let mut socket = WebSocket::after_handshake(stream, Role::Server);
    socket.set_auto_close(true);
    socket.set_writev(true);
    loop {
        let frame = socket.read_frame().await.map_err(io::Error::other)?;
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => {
                let echo = Frame::new(true, frame.opcode, None, Payload::from(&frame.payload[..]));
                socket.write_frame(echo).await.map_err(io::Error::other)?;
            }
            OpCode::Continuation | OpCode::Ping | OpCode::Pong => (),
        }
    }
}
