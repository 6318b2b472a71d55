//! The options of TLS.

use crate::exit::Exit;
use clap::Args;
use echo_net::rustls::pki_types::ServerName;
use echo_net::rustls::{self, RootCertStore};
use echo_net::{Client, ClientConfig, ConnectError, TlsFileError, TlsStream, connect_tls};
use echo_net::{tls_authorities, tls_client_config, tls_server_config};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpStream, ToSocketAddrs};

/// Why TLS cannot be used.
type Failure = (Exit, String);

/// TLS of a server.
#[derive(Debug, Args)]
pub(crate) struct ServerTlsOptions {
    /// Speak only TLS, with the certificates in this PEM file, the server's own first. FILE is read once
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,

    /// The private key of the certificate, in a PEM file without a password
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
}

impl ServerTlsOptions {
    /// Reads the files. `None` if no TLS is asked for.
    pub(crate) fn load(&self) -> Result<Option<Arc<rustls::ServerConfig>>, Failure> {
        let (Some(certificates), Some(key)) = (&self.tls_cert, &self.tls_key) else { return Ok(None) };
        tls_server_config(certificates, key).map(Some).map_err(in_file)
    }
}

/// TLS of a client.
#[derive(Debug, Args)]
pub(crate) struct ClientTlsOptions {
    /// Speak TLS, and check the server's certificate
    #[arg(long)]
    tls: bool,

    /// With --tls: the authorities that may have issued the server's certificate, in a PEM file [default: those of the
    /// system]
    #[arg(long, value_name = "FILE", requires = "tls")]
    tls_ca: Option<PathBuf>,

    /// With --tls: the name in the server's certificate [default: HOST]
    #[arg(long, value_name = "NAME", requires = "tls")]
    tls_name: Option<String>,
}

impl ClientTlsOptions {
    pub(crate) fn is_asked_for(&self) -> bool {
        self.tls
    }

    /// Reads the file. `None` if no TLS is asked for.
    pub(crate) fn load(&self, host: &str) -> Result<Option<ClientTls>, Failure> {
        if !self.tls {
            return Ok(None);
        }
        let given = self.tls_name.as_deref().unwrap_or(host);
        let name = ServerName::try_from(given.to_owned())
            .map_err(|_| (Exit::Usage, format!("{given} is not the name of a TLS server: use --tls-name")))?;
        let authorities = match &self.tls_ca {
            Some(path) => tls_authorities(path).map_err(in_file)?,
            None => system_authorities()?,
        };
        let config =
            tls_client_config(authorities).map_err(|error| (Exit::System, format!("cannot use TLS: {error}")))?;
        Ok(Some(ClientTls { name, config }))
    }
}

fn system_authorities() -> Result<RootCertStore, Failure> {
    let found = rustls_native_certs::load_native_certs();
    let mut authorities = RootCertStore::empty();
    // Some systems have certificates that rustls cannot use; the others are enough.
    authorities.add_parsable_certificates(found.certs);
    match found.errors.first() {
        _ if !authorities.is_empty() => Ok(authorities),
        Some(error) => Err((Exit::System, format!("cannot read the system's authorities: {error}; use --tls-ca"))),
        None => Err((Exit::System, "the system has no authorities for TLS: use --tls-ca".to_owned())),
    }
}

fn in_file(error: TlsFileError) -> Failure {
    (Exit::System, error.to_string())
}

/// The server's name, and whom to believe.
#[derive(Clone, Debug)]
pub(crate) struct ClientTls {
    name: ServerName<'static>,
    config: Arc<rustls::ClientConfig>,
}

impl ClientTls {
    pub(crate) async fn connect(
        &self,
        address: impl ToSocketAddrs,
        whole: Duration,
    ) -> Result<TlsStream<TcpStream>, ConnectError> {
        connect_tls(address, self.name.clone(), self.config.clone(), whole).await
    }
}

/// Connects a client, by TLS if it is asked for.
pub(crate) async fn connect_client(
    address: impl ToSocketAddrs,
    tls: Option<ClientTls>,
    config: ClientConfig,
) -> Result<Client, ConnectError> {
    match tls {
        Some(ClientTls { name, config: tls }) => Client::connect_tls(address, name, tls, config).await,
        None => Client::connect(address, config).await,
    }
}
