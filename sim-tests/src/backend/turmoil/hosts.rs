//! turmoil's sockets, as the programs use them.

use crate::backend::program::Net;
use echo_net::StreamTransport;
use std::io;
use turmoil::net::{TcpListener, TcpStream};

const PORT: u16 = 4007;

/// turmoil's stream as a transport. The instrumented stream implements `abort` for it.
pub(super) type Stream = StreamTransport<TcpStream>;

/// The hosts "client" and "server". turmoil itself keeps which of them runs.
#[derive(Clone, Debug)]
pub(super) struct Hosts;

impl Net for Hosts {
    type Stream = Stream;
    type Listener = TcpListener;

    async fn bind(&self) -> io::Result<TcpListener> {
        TcpListener::bind(("0.0.0.0", PORT)).await
    }

    async fn accept(listener: &mut TcpListener) -> io::Result<Stream> {
        listener.accept().await.map(|(stream, _)| StreamTransport(stream))
    }

    async fn connect(&self) -> io::Result<Stream> {
        TcpStream::connect(("server", PORT)).await.map(StreamTransport)
    }
}
