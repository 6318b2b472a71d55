//! Connecting by TCP and TLS.

use super::checked::Checked;
use super::error::TlsError;
use super::stream::TlsStream;
use crate::client::{Client, ClientConfig};
use crate::connect::{ConnectError, connect_tcp};
use crate::transport::Transport;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpStream, ToSocketAddrs};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::ServerName;

/// Connects as [`connect_tcp`](crate::connect_tcp) does, and does the TLS handshake with the server `name`, within
/// `whole`.
///
/// # Panics
/// If it is not called in a tokio runtime.
///
/// # Errors
/// Those of [`connect_tcp`](crate::connect_tcp), and [`ConnectError::Tls`]: the server does not speak TLS, its certificate is
/// not accepted, or the handshake is not complete within `whole`.
pub async fn connect_tls(
    address: impl ToSocketAddrs,
    name: ServerName<'static>,
    tls: Arc<rustls::ClientConfig>,
    whole: Duration,
) -> Result<TlsStream<TcpStream>, ConnectError> {
    let now = Instant::now();
    let stream = connect_tcp(address, whole).await?;
    let deadline = now.checked_add(whole).unwrap_or(now + Duration::from_secs(86_400));
    match timeout_at(deadline, TlsStream::connect(stream, name, tls)).await {
        Ok(handshake) => handshake.map_err(ConnectError::Tls),
        Err(_) => Err(ConnectError::Tls(TlsError::TimedOut(whole))),
    }
}

impl<T: Transport> TlsStream<T> {
    /// Does the TLS handshake with the server `name` over any connected stream, of which it is then a transport for
    /// [`Client::greet`]. It sets no deadline: see [`tokio::time::timeout`]. The name is that of the certificate, also where
    /// the stream has none, as a Unix socket.
    ///
    /// ```no_run
    /// # #[cfg(unix)]
    /// # async fn doc(authorities: echo_net::rustls::RootCertStore) -> Result<(), Box<dyn std::error::Error>> {
    /// use echo_net::{Client, ClientConfig, TlsStream, tls_client_config};
    /// use std::time::Duration;
    /// use tokio::time::timeout;
    ///
    /// let stream = tokio::net::UnixStream::connect("/run/counter.sock").await?;
    /// let tls = tls_client_config(authorities)?;
    /// let handshake = TlsStream::connect(stream, "counter.example".try_into()?, tls);
    /// let stream = timeout(Duration::from_secs(5), handshake).await??;
    /// let client = Client::greet(stream, ClientConfig::default()).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`TlsError`]: the server does not speak TLS, or its certificate is not accepted.
    pub async fn connect(
        stream: T,
        name: ServerName<'static>,
        tls: Arc<rustls::ClientConfig>,
    ) -> Result<Self, TlsError> {
        let handshake = TlsConnector::from(tls).connect(name, Checked::new(stream)).await;
        handshake.map(|stream| Self::open(stream.into())).map_err(TlsError::of)
    }
}

impl Client {
    /// Connects as [`connect`](Self::connect) does, by TLS to the server `name`.
    ///
    /// ```no_run
    /// use echo_net::{Client, ClientConfig, tls_authorities, tls_client_config};
    ///
    /// # async fn doc() -> Result<(), Box<dyn std::error::Error>> {
    /// let tls = tls_client_config(tls_authorities("ca.pem".as_ref())?)?;
    /// let name = "localhost".try_into()?;
    /// let client = Client::connect_tls("localhost:2012", name, tls, ClientConfig::default()).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`connect`](Self::connect), and [`ConnectError::Tls`].
    pub async fn connect_tls(
        address: impl ToSocketAddrs,
        name: ServerName<'static>,
        tls: Arc<rustls::ClientConfig>,
        config: ClientConfig,
    ) -> Result<Self, ConnectError> {
        let began = Instant::now();
        let stream = connect_tls(address, name, tls, config.connection.deadlines.connect).await?;
        Self::greet(stream, config.connecting_since(began)).await
    }
}
