//! The stream of a program.

use super::connection::End;
use super::kernel::Kernel;
use super::note::TrialNotes;
#[cfg(any(feature = "turmoil", feature = "packet"))]
use echo_net::Transport;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
#[cfg(all(feature = "linux", target_os = "linux"))]
use std::task::Waker;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// One end of an established connection: `AsyncRead + AsyncWrite + Unpin + Send`. With the feature `turmoil` or `packet` it
/// is a transport of echo-net, too.
///
/// It behaves like tokio's TCP stream on Linux. After a fault has ended its program, all calls stay pending.
#[derive(Debug)]
pub struct TrialStream {
    socket: Socket,
    end: End,
}

/// What is beneath a stream.
#[derive(Clone, Debug)]
pub(super) enum Socket {
    Simulated(Shared),
    #[cfg(all(feature = "linux", target_os = "linux"))]
    Linux(super::linux_sides::Sides),
}

impl TrialStream {
    pub(super) fn new(kernel: Shared, end: End) -> Self {
        Self { socket: Socket::Simulated(kernel), end }
    }

    #[cfg(all(feature = "linux", target_os = "linux"))]
    pub(super) fn on_linux(sides: super::linux_sides::Sides, side: echo_core::Role) -> Self {
        Self { socket: Socket::Linux(sides), end: End { connection: 0, side } }
    }

    fn write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &self.socket {
            Socket::Simulated(kernel) => kernel.with(|kernel| kernel.poll_write(self.end, cx, bytes)),
            #[cfg(all(feature = "linux", target_os = "linux"))]
            Socket::Linux(sides) => sides.poll_write(self.end.side, cx, bytes),
        }
    }
}

/// The kernels, shared by the streams and the simulation.
#[derive(Clone, Debug)]
pub(super) struct Shared(Arc<Mutex<Kernel>>);

impl Shared {
    pub(super) fn new(kernel: Kernel) -> Self {
        Self(Arc::new(Mutex::new(kernel)))
    }

    /// Calls `act` with the kernel. Wakes tasks only after it is unlocked, because a waker may call this again.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Kernel) -> T) -> T {
        let mut kernel = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let result = act(&mut kernel);
        let wakers = kernel.take_wakers();
        drop(kernel);
        wakers.into_iter().for_each(|waker| waker.wake());
        result
    }
}

impl AsyncRead for TrialStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &self.socket {
            Socket::Simulated(kernel) => kernel.with(|kernel| kernel.poll_read(self.end, cx, buffer)),
            #[cfg(all(feature = "linux", target_os = "linux"))]
            Socket::Linux(sides) => sides.poll_read(self.end.side, cx, buffer),
        }
    }
}

impl AsyncWrite for TrialStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.write(cx, bytes)
    }

    /// Joins all slices to one write, as the kernel does.
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        self.write(cx, &bytes)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.socket {
            Socket::Simulated(kernel) => kernel.with(|kernel| kernel.poll_flush(self.end, cx)),
            #[cfg(all(feature = "linux", target_os = "linux"))]
            Socket::Linux(_) => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.socket {
            Socket::Simulated(kernel) => kernel.with(|kernel| kernel.poll_shutdown(self.end, cx)),
            #[cfg(all(feature = "linux", target_os = "linux"))]
            Socket::Linux(sides) => sides.poll_shutdown(self.end.side, cx),
        }
    }
}

impl TrialStream {
    /// The address of the other end. The client is 10.0.0.1, and the server 10.0.0.2, also on Linux.
    pub fn peer_addr(&self) -> SocketAddr {
        self.address(self.end.peer())
    }

    /// The address of this end.
    pub fn local_addr(&self) -> SocketAddr {
        self.address(self.end)
    }

    /// Returns where this side notes what it has done.
    pub fn notes(&self) -> TrialNotes {
        TrialNotes { socket: self.socket.clone(), side: self.end.side }
    }

    fn address(&self, end: End) -> SocketAddr {
        match &self.socket {
            Socket::Simulated(kernel) => kernel.with(|kernel| kernel.address(end)),
            #[cfg(all(feature = "linux", target_os = "linux"))]
            Socket::Linux(_) => {
                super::opening::addresses(echo_core::Role::Client, 0, super::opening::PORT)[end.side as usize]
            }
        }
    }

    /// Does `shutdown(SHUT_WR)` at once.
    fn shut_down(&self) {
        match &self.socket {
            Socket::Simulated(kernel) => kernel.with(|kernel| kernel.shut_down_at_once(self.end)),
            // It is done at once. Like tokio, ignores an error.
            #[cfg(all(feature = "linux", target_os = "linux"))]
            Socket::Linux(sides) => drop(sides.poll_shutdown(self.end.side, &mut Context::from_waker(Waker::noop()))),
        }
    }

    /// Closes the stream by RST, as `close()` with linger time zero does.
    pub fn abort(self) {
        match &self.socket {
            Socket::Simulated(kernel) => kernel.with(|kernel| kernel.abort_stream(self.end)),
            #[cfg(all(feature = "linux", target_os = "linux"))]
            Socket::Linux(sides) => sides.abort_stream(self.end.side),
        }
    }
}

#[cfg(any(feature = "turmoil", feature = "packet"))]
impl Transport for TrialStream {
    fn abort(self) {
        Self::abort(self);
    }
}

/// Closes the stream.
impl Drop for TrialStream {
    fn drop(&mut self) {
        match &self.socket {
            Socket::Simulated(kernel) => kernel.with(|kernel| kernel.drop_stream(self.end)),
            #[cfg(all(feature = "linux", target_os = "linux"))]
            Socket::Linux(sides) => sides.drop_stream(self.end.side),
        }
    }
}

/// The reading half of a stream ([`TrialStream::into_split`]).
#[derive(Debug)]
pub struct TrialReadHalf(Arc<Mutex<TrialStream>>);

/// The writing half of a stream ([`TrialStream::into_split`]). Dropping it shuts the sending direction down.
#[derive(Debug)]
pub struct TrialWriteHalf(Arc<Mutex<TrialStream>>);

impl TrialStream {
    /// Splits the stream into two halves, as tokio's `TcpStream::into_split` does: the drop of the writing half sends FIN, and
    /// the drop of both closes the stream.
    pub fn into_split(self) -> (TrialReadHalf, TrialWriteHalf) {
        let both = Arc::new(Mutex::new(self));
        (TrialReadHalf(Arc::clone(&both)), TrialWriteHalf(both))
    }
}

/// Polls the whole stream of a half.
fn whole<T>(half: &Mutex<TrialStream>, poll: impl FnOnce(Pin<&mut TrialStream>) -> T) -> T {
    poll(Pin::new(&mut *half.lock().unwrap_or_else(PoisonError::into_inner)))
}

impl AsyncRead for TrialReadHalf {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        whole(&self.0, |stream| stream.poll_read(cx, buffer))
    }
}

impl AsyncWrite for TrialWriteHalf {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        whole(&self.0, |stream| stream.poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        whole(&self.0, |stream| stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        whole(&self.0, |stream| stream.poll_shutdown(cx))
    }
}

impl Drop for TrialWriteHalf {
    fn drop(&mut self) {
        whole(&self.0, |stream| stream.shut_down());
    }
}
