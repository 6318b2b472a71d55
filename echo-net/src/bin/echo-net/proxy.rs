//! Support for load balancers: a PROXY protocol header, version 1 or 2, before each connection.

use echo_net::{Listener, TcpListeners, Transport};
use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tracing::{info, warn};

/// The first bytes of a version 2 header.
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Version 2 with the command LOCAL: the balancer's own connection.
const LOCAL: u8 = 0x20;
/// The name of a client whose header has no address.
const UNNAMED: &str = "a client that the balancer does not name";
/// Length of the signature, version and command, family, and length field.
const FIXED: usize = 16;
/// Maximum length of a version 1 header.
const MOST_V1: usize = 107;
/// Maximum accepted length of a version 2 header; the protocol allows 64 KiB.
const MOST_V2: usize = 4096;

/// Accepts connections that begin with a header.
pub(crate) struct AcceptProxy(pub(crate) TcpListeners);

impl Listener for AcceptProxy {
    type Stream = Proxied;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> io::Result<(Proxied, SocketAddr)> {
        let (stream, peer) = self.0.accept().await?;
        Ok((Proxied { stream, peer, number: 0, header: Some(Vec::new()), behind: Vec::new() }, peer))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// A connection whose header is read first.
pub(crate) struct Proxied {
    stream: TcpStream,
    /// The balancer's address.
    peer: SocketAddr,
    /// The connection's number in the log.
    number: u64,
    /// Received bytes of the header; `None` once it is complete.
    header: Option<Vec<u8>>,
    /// Bytes after the header, from the same read.
    behind: Vec<u8>,
}

impl Proxied {
    fn poll_header(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut chunk = [0; 512];
        while let Some(header) = &mut self.header {
            let mut buffer = ReadBuf::new(&mut chunk);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
            if buffer.filled().is_empty() {
                if !header.is_empty() {
                    return Poll::Ready(Err(self.refuse("a part of it and then FIN")));
                }
                // A health check ends without a header.
                self.header = None;
                break;
            }
            header.extend_from_slice(buffer.filled());
            match length(header) {
                Ok(Some(end)) if end <= header.len() => {
                    match client(&header[..end]) {
                        Ok(client) => {
                            let (number, peer) = (self.number, self.peer);
                            info!(connection = number, "connection {number} from {peer} belongs to {client}");
                        }
                        Err(error) => return Poll::Ready(Err(self.refuse(&error))),
                    }
                    self.behind = header.split_off(end);
                    self.header = None;
                }
                Ok(_) => (),
                Err(error) => return Poll::Ready(Err(self.refuse(error))),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn refuse(&self, error: &str) -> io::Error {
        let (number, peer) = (self.number, self.peer);
        warn!(
            connection = number,
            "connection {number} from {peer} is refused: expected a PROXY header (--accept-proxy), got {error}"
        );
        io::Error::new(io::ErrorKind::InvalidData, "no PROXY header")
    }
}

/// Returns the header's length, or `None` if more bytes are needed.
fn length(begun: &[u8]) -> Result<Option<usize>, &'static str> {
    let common = begun.len().min(SIGNATURE.len());
    if begun[..common] == SIGNATURE[..common] {
        let Some(length) = begun.get(FIXED - 2..FIXED) else { return Ok(None) };
        let whole = FIXED + usize::from(u16::from_be_bytes([length[0], length[1]]));
        return if whole <= MOST_V2 { Ok(Some(whole)) } else { Err("a header of more than 4096 bytes") };
    }
    let common = begun.len().min(6);
    if begun[..common] != b"PROXY "[..common] {
        return Err("other bytes");
    }
    let line = &begun[..begun.len().min(MOST_V1)];
    match line.windows(2).position(|two| two == b"\r\n") {
        Some(end) => Ok(Some(end + 2)),
        None if begun.len() < MOST_V1 => Ok(None),
        None => Err("a line of more than 107 bytes"),
    }
}

/// Returns the client's address in a complete header.
fn client(header: &[u8]) -> Result<String, String> {
    match header.strip_prefix(SIGNATURE) {
        // The rest must be ignored (PROXY protocol, section 2.2): this is a health check.
        Some([LOCAL, ..]) => Ok("the balancer itself".to_owned()),
        Some(_) => match ppp::v2::Header::try_from(header) {
            Ok(header) => Ok(match header.addresses {
                ppp::v2::Addresses::Unspecified | ppp::v2::Addresses::Unix(_) => UNNAMED.to_owned(),
                ppp::v2::Addresses::IPv4(ip) => address(ip.source_address.into(), ip.source_port),
                ppp::v2::Addresses::IPv6(ip) => address(ip.source_address.into(), ip.source_port),
            }),
            Err(error) => Err(format!("an invalid header of version 2 ({error})")),
        },
        None => match ppp::v1::Header::try_from(header) {
            Ok(header) => Ok(match header.addresses {
                ppp::v1::Addresses::Unknown => UNNAMED.to_owned(),
                ppp::v1::Addresses::Tcp4(ip) => address(ip.source_address.into(), ip.source_port),
                ppp::v1::Addresses::Tcp6(ip) => address(ip.source_address.into(), ip.source_port),
            }),
            Err(error) => Err(format!("an invalid header of version 1 ({error})")),
        },
    }
}

fn address(ip: IpAddr, port: u16) -> String {
    SocketAddr::new(ip, port).to_string()
}

impl AsyncRead for Proxied {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_header(cx))?;
        if !self.behind.is_empty() {
            let count = self.behind.len().min(buffer.remaining());
            buffer.put_slice(&self.behind[..count]);
            self.behind.drain(..count);
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Proxied {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Transport for Proxied {
    fn unacknowledged(&self) -> Option<usize> {
        self.stream.unacknowledged()
    }

    fn set_number(&mut self, number: u64) {
        self.number = number;
    }

    fn abort(self) {
        self.stream.abort();
    }
}
