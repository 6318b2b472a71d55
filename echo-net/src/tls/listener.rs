//! A listener whose connections are TLS.

use super::stream::TlsStream;
use crate::transport::Listener;
use std::io;
use std::sync::Arc;
use tokio_rustls::rustls::ServerConfig;

/// Makes each connection of another listener one of TLS.
///
/// The handshake is done by the connection's own task, so a slow one holds up no other connection. It counts as the
/// client's silence: the idle deadline limits it, and a drain or an abort of the server ends it.
///
/// Session tickets are sent after the handshake of TLS 1.3. A client that closes without reading them resets the
/// connection, and what it sent last is lost. A framed client reads, so this concerns other programs on the plain wire.
/// [`tls_server_config`](crate::tls_server_config) sends none.
///
/// ```no_run
/// use echo_net::{Echo, ServerConfig, TcpListeners, TlsListener, serve, tls_server_config};
///
/// # async fn doc() -> Result<(), Box<dyn std::error::Error>> {
/// let tls = tls_server_config("cert.pem".as_ref(), "key.pem".as_ref())?;
/// let listener = TlsListener::new(TcpListeners::bind("localhost:2012").await?, tls);
/// let report = serve(listener, Echo, ServerConfig::default(), std::future::pending()).await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct TlsListener<L> {
    listener: L,
    config: Arc<ServerConfig>,
}

impl<L: Listener> TlsListener<L> {
    /// Wraps a listener.
    pub fn new(listener: L, config: Arc<ServerConfig>) -> Self {
        Self { listener, config }
    }
}

impl<L: Listener> Listener for TlsListener<L> {
    type Stream = TlsStream<L::Stream>;
    type Addr = L::Addr;

    async fn accept(&mut self) -> io::Result<(Self::Stream, L::Addr)> {
        let (stream, peer) = self.listener.accept().await?;
        Ok((TlsStream::accepted(stream, self.config.clone()), peer))
    }

    fn local_addr(&self) -> io::Result<L::Addr> {
        self.listener.local_addr()
    }
}
