//! The programs' sockets: TCP on loopback, at addresses that only one run uses.

use crate::backend::program::{Net, lock};
use crate::linux::SocketPair;
use echo_net::Transport;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

const PORT: u16 = 2012;

/// The two hosts of a run.
#[derive(Clone, Debug)]
pub(super) struct Hosts {
    /// By [`Role`](echo_core::Role).
    pub(super) addresses: [Ipv4Addr; 2],
    /// Size of the receive buffers in bytes; 0 is the system's default.
    pub(super) window: usize,
    /// By [`Role`](echo_core::Role): the program crashes, so its socket belongs to a process that can be killed.
    pub(super) crashes: [bool; 2],
    pub(super) pair: Arc<Mutex<Option<SocketPair>>>,
}

impl Hosts {
    /// Returns the addresses of run `number`.
    pub(super) fn addresses(number: u16) -> [Ipv4Addr; 2] {
        let [high, low] = number.to_be_bytes();
        [2, 1].map(|host| Ipv4Addr::new(127, 1 + high, low, host))
    }

    fn socket(&self) -> io::Result<TcpSocket> {
        let socket = TcpSocket::new_v4()?;
        if self.window > 0 {
            socket.set_recv_buffer_size(u32::try_from(self.window).unwrap_or(u32::MAX))?;
        }
        Ok(socket)
    }
}

#[derive(Debug)]
pub(super) struct LinuxListener {
    listener: TcpListener,
    crashes: bool,
}

impl Net for Hosts {
    type Stream = LinuxStream;
    type Listener = LinuxListener;

    async fn bind(&self) -> io::Result<LinuxListener> {
        let socket = self.socket()?;
        socket.bind((self.addresses[1], PORT).into())?;
        Ok(LinuxListener { listener: socket.listen(8)?, crashes: self.crashes[1] })
    }

    async fn accept(listener: &mut LinuxListener) -> io::Result<LinuxStream> {
        let (stream, _) = listener.listener.accept().await?;
        LinuxStream::new(stream, listener.crashes)
    }

    async fn connect(&self) -> io::Result<LinuxStream> {
        let socket = self.socket()?;
        socket.bind((self.addresses[0], 0).into())?;
        let server = SocketAddr::from((self.addresses[1], PORT));
        let stream = socket.connect(server).await?;
        let pair = SocketPair { client: stream.local_addr()?, server };
        *lock(&self.pair) = Some(pair);
        LinuxStream::new(stream, self.crashes[0])
    }
}

/// A TCP stream. If its program crashes, another process holds its socket, too, so that the end of this stream is the
/// SIGKILL of a process.
#[derive(Debug)]
pub(super) struct LinuxStream {
    stream: Option<TcpStream>,
    holder: Option<Child>,
}

impl LinuxStream {
    fn new(stream: TcpStream, crashes: bool) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let holder = if crashes { Some(hold(&stream)?) } else { None };
        Ok(Self { stream: Some(stream), holder })
    }

    fn stream(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        self.stream.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

/// Starts a process whose standard input is the socket.
fn hold(stream: &TcpStream) -> io::Result<Child> {
    let socket = stream.as_fd().try_clone_to_owned()?;
    Command::new("sleep").arg("600").stdin(socket).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
}

impl Drop for LinuxStream {
    fn drop(&mut self) {
        drop(self.stream.take());
        if let Some(holder) = &mut self.holder {
            // It fails only if the process has ended, and then its socket is closed, too.
            let _ = holder.kill();
            let _ = holder.wait();
        }
    }
}

impl AsyncRead for LinuxStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_read(cx, buffer)
    }
}

impl AsyncWrite for LinuxStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_shutdown(cx)
    }
}

impl Transport for LinuxStream {
    fn unacknowledged(&self) -> Option<usize> {
        self.stream.as_ref().and_then(Transport::unacknowledged)
    }

    fn abort(mut self) {
        if let Some(stream) = self.stream.take() {
            stream.abort();
        }
    }
}
