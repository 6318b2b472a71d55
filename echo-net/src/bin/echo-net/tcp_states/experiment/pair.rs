//! A server and a client on loopback, in this process, and what their programs do with their sockets.

use super::plan::Side;
use socket2::{Domain, SockAddr, SockRef, Socket, Type};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Size of each socket's buffers, small so that a little data fills them. Linux doubles it.
const BUFFER: usize = 16 * 1024;
/// The longest wait for bytes that are on their way.
const PATIENCE: Duration = Duration::from_secs(5);
const MESSAGE: &[u8] = b"hello\n";

/// The two ends of a connection.
#[derive(Debug)]
pub(crate) struct Pair {
    /// The client's address and the server's.
    addresses: [SocketAddr; 2],
    /// `None`: the program has closed it.
    streams: [Option<TcpStream>; 2],
}

/// What reading to the end gave.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) bytes: usize,
    /// Why reading ended, if not at the end of the stream.
    pub(crate) error: Option<io::Error>,
}

impl Pair {
    /// Connects a client to a server, on a free port.
    ///
    /// # Errors
    /// The system's error.
    pub(crate) fn connect(ipv6: bool) -> io::Result<Self> {
        let any: SocketAddr = if ipv6 { (Ipv6Addr::LOCALHOST, 0).into() } else { (Ipv4Addr::LOCALHOST, 0).into() };
        let new = || {
            let socket = Socket::new(Domain::for_address(any), Type::STREAM, None)?;
            socket.set_send_buffer_size(BUFFER)?;
            socket.set_recv_buffer_size(BUFFER)?;
            Ok::<_, io::Error>(socket)
        };
        let listener = new()?;
        listener.bind(&SockAddr::from(any))?;
        listener.listen(1)?;
        let client = new()?;
        client.connect(&listener.local_addr()?)?;
        let (server, _) = listener.accept()?;
        let [client, server] = [client, server].map(TcpStream::from);
        for stream in [&client, &server] {
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
        }
        let addresses = [client.local_addr()?, server.local_addr()?];
        Ok(Self { addresses, streams: [Some(client), Some(server)] })
    }

    pub(crate) fn address(&self, side: Side) -> SocketAddr {
        self.addresses[side as usize]
    }

    /// A message and its answer.
    pub(crate) fn exchange(&mut self) -> io::Result<()> {
        for side in Side::BOTH {
            self.send(side)?;
            self.receive(side.peer())?;
        }
        Ok(())
    }

    /// Sends a message.
    pub(crate) fn send(&mut self, side: Side) -> io::Result<()> {
        self.stream(side)?.write_all(MESSAGE)
    }

    /// Reads a message.
    pub(crate) fn receive(&mut self, side: Side) -> io::Result<()> {
        let mut rest = MESSAGE.len();
        self.read_until(side, |count| {
            rest = rest.saturating_sub(count);
            rest == 0
        })
    }

    /// Writes until neither buffer takes more. Returns the number of bytes.
    pub(crate) fn fill(&mut self, side: Side) -> io::Result<usize> {
        let stream = self.stream(side)?;
        let mut total = 0;
        let mut full_since: Option<Instant> = None;
        // What was sent moves to the peer's buffer, and makes room for more, until that buffer is full, too.
        while full_since.is_none_or(|since| since.elapsed() < Duration::from_millis(100)) {
            match stream.write(&[b'x'; 1024]) {
                Ok(count) => {
                    total += count;
                    full_since = None;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    full_since.get_or_insert_with(Instant::now);
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(total)
    }

    /// Sends FIN. The program keeps the socket.
    pub(crate) fn shutdown(&mut self, side: Side) -> io::Result<()> {
        self.stream(side)?.shutdown(Shutdown::Write)
    }

    /// Closes the socket.
    pub(crate) fn close(&mut self, side: Side) {
        self.streams[side as usize] = None;
    }

    /// Closes the socket with RST.
    pub(crate) fn abort(&mut self, side: Side) -> io::Result<()> {
        SockRef::from(&*self.stream(side)?).set_linger(Some(Duration::ZERO))?;
        self.close(side);
        Ok(())
    }

    /// Reads to the end of the stream.
    pub(crate) fn read_to_end(&mut self, side: Side) -> io::Result<Received> {
        let mut received = Received { bytes: 0, error: None };
        let ended = self.read_until(side, |count| {
            received.bytes += count;
            false
        });
        match ended {
            Err(error) if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::NotConnected) => Err(error),
            ended => Ok(Received { error: ended.err(), ..received }),
        }
    }

    /// Reads until `is_over` returns `true` for the number of bytes that a read returned, or the stream ends.
    fn read_until(&mut self, side: Side, mut is_over: impl FnMut(usize) -> bool) -> io::Result<()> {
        let stream = self.stream(side)?;
        let mut last = Instant::now();
        loop {
            match stream.read(&mut [0; 4096]) {
                Ok(0) => return Ok(()),
                Ok(count) if is_over(count) => return Ok(()),
                Ok(_) => last = Instant::now(),
                Err(error) if error.kind() == ErrorKind::WouldBlock && last.elapsed() < PATIENCE => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Err(io::Error::new(ErrorKind::TimedOut, format!("the {side} received nothing for 5 s")));
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn stream(&mut self, side: Side) -> io::Result<&mut TcpStream> {
        let closed = || io::Error::new(ErrorKind::NotConnected, format!("the {side} has closed its socket"));
        self.streams[side as usize].as_mut().ok_or_else(closed)
    }
}

impl Drop for Pair {
    /// Leaves nothing behind: what is still open is aborted, so that no socket stays in a closing state for a minute.
    fn drop(&mut self) {
        for side in Side::BOTH {
            let _ = self.abort(side);
        }
    }
}
