//! A listener in memory, and what connects to it.

use crate::transport::Listener;
use std::fmt;
use std::future::pending;
use std::io;
use tokio::io::{DuplexStream, duplex};
use tokio::sync::mpsc;

/// Room of each direction, in bytes.
const ROOM: usize = 64 * 1024;

/// Returns a listener that needs no socket, and a handle that connects to it: for tests, and for a server inside of its
/// client's program.
///
/// ```
/// use echo_net::{Client, ClientConfig, Echo, ServerConfig, in_memory, serve};
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
/// # runtime.block_on(async {
/// let (listener, connector) = in_memory();
/// let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
/// let server = tokio::spawn(serve(listener, Echo, ServerConfig::default(), async { drop(stopped.await) }));
///
/// let client = Client::greet(connector.connect()?, ClientConfig::default()).await?;
/// assert_eq!(client.request("hello").await?.payload, b"hello");
/// assert!(client.close().await.end.is_clean());
///
/// drop(stop);
/// assert_eq!(server.await?.ended("clean"), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn in_memory() -> (MemoryListener, MemoryConnector) {
    let (connector, listener) = mpsc::unbounded_channel();
    (MemoryListener(listener), MemoryConnector(connector))
}

/// The listener of [`in_memory`].
#[derive(Debug)]
pub struct MemoryListener(mpsc::UnboundedReceiver<DuplexStream>);

/// Connects to the listener of [`in_memory`]. Clones connect to the same one.
#[derive(Clone, Debug)]
pub struct MemoryConnector(mpsc::UnboundedSender<DuplexStream>);

/// The address of everybody in memory. It is displayed as "memory".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryAddr;

impl MemoryConnector {
    /// Connects. Each direction has room for 64 KiB.
    ///
    /// # Errors
    /// [`ConnectionRefused`](io::ErrorKind::ConnectionRefused): the listener is dropped.
    pub fn connect(&self) -> io::Result<DuplexStream> {
        let (near, far) = duplex(ROOM);
        self.0.send(far).map_err(|_| io::ErrorKind::ConnectionRefused)?;
        Ok(near)
    }
}

impl Listener for MemoryListener {
    type Stream = DuplexStream;
    type Addr = MemoryAddr;

    async fn accept(&mut self) -> io::Result<(DuplexStream, MemoryAddr)> {
        match self.0.recv().await {
            Some(stream) => Ok((stream, MemoryAddr)),
            // Nobody can connect any more.
            None => pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<MemoryAddr> {
        Ok(MemoryAddr)
    }
}

impl fmt::Display for MemoryAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("memory")
    }
}
