//! The programs' sockets: TCP of the kernel, at addresses that only one run uses.

use super::holder::{Ending, Holder};
use super::router::{RunNumber, addresses_of};
use crate::backend::program::Net;
use echo_core::Role;
use echo_net::Transport;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

const PORT: u16 = 2012;
/// The client's port if two conversations follow each other on the same ports.
const REUSED: u16 = 50_000;

/// The two hosts of a run.
#[derive(Clone, Debug)]
pub(super) struct Hosts {
    /// By [`Role`], as all arrays here.
    pub(super) addresses: [Ipv4Addr; 2],
    /// Size of the receive buffers in bytes; 0 is the system's default.
    window: usize,
    /// The client's port; 0 is any.
    port: u16,
    /// The program crashes, so its socket belongs to a process that can be killed.
    crashes: [bool; 2],
    ending: Ending,
    /// Set when the host loses its power.
    dark: [Arc<AtomicBool>; 2],
}

impl Hosts {
    pub(super) fn new(number: RunNumber, window: usize, crashes: [bool; 2], ending: Ending) -> Self {
        Self { addresses: addresses_of(number), window, port: 0, crashes, ending, dark: Default::default() }
    }

    /// Loses the power of `side`: its sockets go without a packet.
    pub(super) fn power_down(&self, side: Role) {
        self.dark[side as usize].store(true, Ordering::Relaxed);
    }

    /// Runs an earlier conversation on the ports of the next one. The server closes first, so its socket is in
    /// TIME-WAIT.
    pub(super) async fn rehearse(&mut self) -> io::Result<()> {
        self.port = REUSED;
        let listener = self.listen()?;
        let client = self.socket(Role::Client, self.port)?.connect((self.addresses[1], PORT).into());
        let (client, server) = tokio::join!(client, listener.accept());
        drop(server?);
        let mut client = client?;
        client.read_to_end(&mut Vec::new()).await?;
        Ok(())
    }

    fn listen(&self) -> io::Result<TcpListener> {
        self.socket(Role::Server, PORT)?.listen(8)
    }

    fn socket(&self, side: Role, port: u16) -> io::Result<TcpSocket> {
        let window = u32::try_from(self.window).unwrap_or(u32::MAX);
        socket(SocketAddrV4::new(self.addresses[side as usize], port), window)
    }

    async fn stream(&self, stream: TcpStream, side: usize) -> io::Result<LinuxStream> {
        stream.set_nodelay(true)?;
        let holder = match self.crashes[side] {
            true => Some(Holder::start(&stream, self.ending.clone()).await?),
            false => None,
        };
        Ok(LinuxStream { stream: Some(stream), _holder: holder, dark: Arc::clone(&self.dark[side]) })
    }
}

/// Returns a socket that is bound to `address`, also if an earlier conversation has used it. `window` is the size of its
/// receive buffer as `SO_RCVBUF` takes it; 0 is the system's.
pub(super) fn socket(address: SocketAddrV4, window: u32) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    if window > 0 {
        socket.set_recv_buffer_size(window)?;
    }
    socket.bind(address.into())?;
    Ok(socket)
}

#[derive(Debug)]
pub(super) struct LinuxListener {
    listener: TcpListener,
    hosts: Hosts,
}

impl Net for Hosts {
    type Stream = LinuxStream;
    type Listener = LinuxListener;

    async fn bind(&self) -> io::Result<LinuxListener> {
        Ok(LinuxListener { listener: self.listen()?, hosts: self.clone() })
    }

    async fn accept(listener: &mut LinuxListener) -> io::Result<LinuxStream> {
        let (stream, _) = listener.listener.accept().await?;
        listener.hosts.stream(stream, 1).await
    }

    async fn connect(&self) -> io::Result<LinuxStream> {
        let socket = self.socket(Role::Client, self.port)?;
        self.stream(socket.connect((self.addresses[1], PORT).into()).await?, 0).await
    }
}

/// A TCP stream. If its program crashes, another process holds its socket, too, so that the end of this stream is the
/// SIGKILL of a process.
#[derive(Debug)]
pub(super) struct LinuxStream {
    stream: Option<TcpStream>,
    /// Dropped after the stream.
    _holder: Option<Holder>,
    /// The host has lost its power: the kernel must forget the socket.
    dark: Arc<AtomicBool>,
}

impl LinuxStream {
    fn stream(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        self.stream.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl Drop for LinuxStream {
    fn drop(&mut self) {
        match self.stream.take() {
            // Its RST is lost, because the host has no power.
            Some(stream) if self.dark.load(Ordering::Relaxed) => stream.abort(),
            other => drop(other),
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
