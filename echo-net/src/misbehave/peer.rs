//! One connection of the attacker. It bounds what it reads, and handles any end of the stream.

use super::scanner::Scanner;
use super::{Ending, StreamEnd, Wire};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use tokio::io::Interest;
use tokio::net::{TcpSocket, TcpStream};

/// Maximum bytes of one read.
const READ: usize = 16 * 1024;
/// Maximum bytes read to learn how a stream ended that the script does not read.
const LEFT_UNREAD: u64 = 256 * 1024;

/// The stream has ended, or the server has sent its CLOSE: the script is over.
#[derive(Debug)]
pub(super) struct Over;

/// A connection, and what was received on it.
#[derive(Debug)]
pub(super) struct Peer {
    stream: TcpStream,
    pub(super) scanner: Scanner,
    pub(super) written: u64,
    pub(super) read: u64,
    pub(super) end: Option<StreamEnd>,
}

impl Peer {
    /// Connects. On IPv4 loopback the source address depends on `number`.
    pub(super) async fn connect(address: SocketAddr, wire: Wire, number: u32) -> std::io::Result<Self> {
        let stream = match address {
            SocketAddr::V4(v4) if v4.ip().is_loopback() => {
                let socket = TcpSocket::new_v4()?;
                // Some systems have only 127.0.0.1: without the bind, the system chooses it.
                let _ = socket.bind(loopback(number).into());
                socket.connect(address).await?
            }
            SocketAddr::V4(_) | SocketAddr::V6(_) => TcpStream::connect(address).await?,
        };
        stream.set_nodelay(true)?;
        Ok(Self { stream, scanner: Scanner::new(wire), written: 0, read: 0, end: None })
    }

    /// Writes all of `bytes` without reading.
    pub(super) async fn send(&mut self, mut bytes: &[u8]) -> Result<(), Over> {
        while !bytes.is_empty() {
            self.ready(Interest::WRITABLE).await?;
            bytes = &bytes[self.try_write(bytes)?..];
        }
        Ok(())
    }

    /// Writes all of `bytes`, and reads meanwhile.
    pub(super) async fn send_reading(&mut self, mut bytes: &[u8]) -> Result<(), Over> {
        while !bytes.is_empty() {
            self.ready(Interest::READABLE | Interest::WRITABLE).await?;
            self.try_read(READ)?;
            bytes = &bytes[self.try_write(bytes)?..];
        }
        Ok(())
    }

    /// Reads until `enough` returns true.
    pub(super) async fn read_until(&mut self, enough: impl Fn(&Scanner) -> bool) -> Result<(), Over> {
        while !enough(&self.scanner) {
            if self.scanner.close_frame.is_some() {
                return Err(Over);
            }
            self.ready(Interest::READABLE).await?;
            self.try_read(READ)?;
        }
        Ok(())
    }

    /// Reads until the stream ends.
    pub(super) async fn read_all(&mut self) -> Over {
        loop {
            if self.ready(Interest::READABLE).await.is_err() || self.try_read(READ).is_err() {
                return Over;
            }
        }
    }

    /// Reads at most `count` bytes, once some are there.
    pub(super) async fn read_some(&mut self, count: usize) -> Result<(), Over> {
        self.ready(Interest::READABLE).await?;
        self.try_read(count)
    }

    /// Waits without reading until the stream fails.
    pub(super) async fn wait_unread(&mut self) -> Over {
        loop {
            if self.ready(Interest::ERROR).await.is_err() {
                return Over;
            }
            if let Ok(Some(_)) | Err(_) = self.stream.take_error() {
                return self.fail();
            }
            // There was no error, so clear the readiness.
            let _ = self.stream.try_io(Interest::ERROR, || Err::<(), _>(ErrorKind::WouldBlock.into()));
        }
    }

    /// Sends FIN.
    pub(super) async fn finish(&mut self) {
        use tokio::io::AsyncWriteExt;
        // If the connection is gone, the next read reports it.
        let _ = self.stream.shutdown().await;
    }

    /// Closes by RST, and records `end` unless there is an end already.
    pub(super) fn reset(mut self, end: StreamEnd) -> Self {
        self.end.get_or_insert(end);
        // If the option cannot be set, the connection is already gone.
        let _ = self.stream.set_zero_linger();
        self
    }

    /// Reads what is there without waiting, up to a limit or the end of the stream.
    pub(super) fn look(&mut self) {
        let most = self.read.saturating_add(LEFT_UNREAD);
        while self.end.is_none() && self.read < most {
            let before = self.read;
            if self.try_read(READ).is_err() || self.read == before {
                return;
            }
        }
    }

    pub(super) fn ending(&self) -> Ending {
        Ending {
            close_frame: self.scanner.close_frame,
            end: self.end.unwrap_or(StreamEnd::Open),
            is_garbled: self.scanner.is_garbled,
        }
    }

    pub(super) async fn ready(&mut self, interest: Interest) -> Result<(), Over> {
        if self.end.is_some() {
            return Err(Over);
        }
        // A stream that is always ready must not starve the other connections of the thread.
        tokio::task::coop::consume_budget().await;
        self.stream.ready(interest).await.map(|_| ()).map_err(|_| self.fail())
    }

    /// Writes as much as the transport takes now.
    pub(super) fn try_write(&mut self, bytes: &[u8]) -> Result<usize, Over> {
        match self.stream.try_write(bytes) {
            Ok(count) => {
                self.written += count as u64;
                Ok(count)
            }
            Err(error) if is_no_failure(error.kind()) => Ok(0),
            Err(_) => Err(self.fail()),
        }
    }

    /// Reads what is there now, at most `count` bytes.
    pub(super) fn try_read(&mut self, count: usize) -> Result<(), Over> {
        let mut buffer = [0; READ];
        let count = count.min(READ);
        match self.stream.try_read(&mut buffer[..count]) {
            Ok(0) => Err(self.ended(StreamEnd::Fin)),
            Ok(count) => {
                self.read += count as u64;
                self.scanner.feed(&buffer[..count]);
                Ok(())
            }
            Err(error) if is_no_failure(error.kind()) => Ok(()),
            Err(_) => Err(self.ended(StreamEnd::Reset)),
        }
    }

    /// Handles a failure of the stream. It first reads what was received, because that may hold the server's CLOSE.
    fn fail(&mut self) -> Over {
        self.look();
        if self.end != Some(StreamEnd::Reset) {
            self.end = None;
            self.ended(StreamEnd::Reset);
        }
        Over
    }

    fn ended(&mut self, end: StreamEnd) -> Over {
        if self.end.is_none() {
            self.scanner.end();
            self.end = Some(end);
        }
        Over
    }
}

/// Returns one of many loopback addresses, so that no connection waits for a port in TIME_WAIT.
fn loopback(number: u32) -> SocketAddrV4 {
    let [_, b, c, d] = (0x0001_0001 + number % 0x007F_0000).to_be_bytes();
    SocketAddrV4::new(Ipv4Addr::new(127, b, c, d), 0)
}

fn is_no_failure(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
