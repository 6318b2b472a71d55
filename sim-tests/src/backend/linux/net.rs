//! The programs' sockets: TCP of the kernel, at addresses that only one run uses.

use super::router::{RunNumber, addresses_of};
use crate::backend::program::Net;
use echo_core::Role;
use echo_net::Transport;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::AsFd;
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
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
    /// Set when the host loses its power.
    dark: [Arc<AtomicBool>; 2],
}

impl Hosts {
    pub(super) fn new(number: RunNumber, window: usize, crashes: [bool; 2]) -> Self {
        Self { addresses: addresses_of(number), window, port: 0, crashes, dark: Default::default() }
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
        let holder = if self.crashes[side] { Some(hold(&stream).await?) } else { None };
        Ok(LinuxStream { stream: Some(stream), holder, dark: Arc::clone(&self.dark[side]) })
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
    holder: Option<Child>,
    /// The host has lost its power: the kernel must forget the socket.
    dark: Arc<AtomicBool>,
}

impl LinuxStream {
    fn stream(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        self.stream.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

/// Starts a process whose standard input is the socket. It takes some milliseconds, so another thread does it.
async fn hold(stream: &TcpStream) -> io::Result<Child> {
    let socket = stream.as_fd().try_clone_to_owned()?;
    let start =
        move || Command::new("sleep").arg("600").stdin(socket).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    tokio::task::spawn_blocking(start).await?
}

impl Drop for LinuxStream {
    fn drop(&mut self) {
        match self.stream.take() {
            // Its RST is lost, because the host has no power.
            Some(stream) if self.dark.load(Ordering::Relaxed) => stream.abort(),
            other => drop(other),
        }
        if let Some(mut holder) = self.holder.take() {
            // It fails only if the process has ended, and then its socket is closed, too.
            let _ = holder.kill();
            // The kernel closes the socket; nothing else has to wait for it.
            std::thread::spawn(move || holder.wait());
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
