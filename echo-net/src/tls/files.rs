//! Certificates and keys from PEM files.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ClientConfig, InconsistentKeys, RootCertStore, ServerConfig};

/// Returns the configuration of a server with the certificates of one file, the server's own first, and the private key
/// of another. It asks clients for no certificate, and sends no session tickets ([`TlsListener`](crate::TlsListener)).
/// [`tls_server_config_of`] takes certificates that are not in files.
///
/// # Errors
/// [`TlsFileError`]: a file cannot be read, or has no certificate or no usable key, or the two do not match.
pub fn tls_server_config(certificates: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsFileError> {
    let (chain, der) = (read_certificates(certificates)?, read_key(key)?);
    tls_server_config_of(chain, der).map_err(|error| match error {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            TlsFileError::new(key, Fault::OtherKey(certificates.to_owned()))
        }
        rustls::Error::InvalidCertificate(_) => TlsFileError::new(certificates, Fault::Certificate(error)),
        error => TlsFileError::new(key, Fault::Key(error)),
    })
}

/// Returns the configuration of a server with these certificates, the server's own first, and this private key, as
/// [`tls_server_config`] does.
///
/// # Errors
/// Those of rustls: a certificate or the key cannot be used, or they do not match.
pub fn tls_server_config_of(
    certificates: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let mut config = builder.with_no_client_auth().with_single_cert(certificates, key)?;
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// Returns the authorities in a file of certificates.
///
/// # Errors
/// [`TlsFileError`]: the file cannot be read, or has no usable certificate.
pub fn tls_authorities(path: &Path) -> Result<RootCertStore, TlsFileError> {
    let mut roots = RootCertStore::empty();
    for certificate in read_certificates(path)? {
        roots.add(certificate).map_err(|error| TlsFileError::new(path, Fault::Certificate(error)))?;
    }
    Ok(roots)
}

/// Returns the configuration of a client that accepts the servers that these authorities have certified.
///
/// # Errors
/// Those of rustls.
pub fn tls_client_config(authorities: RootCertStore) -> Result<Arc<ClientConfig>, rustls::Error> {
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    Ok(Arc::new(builder.with_root_certificates(authorities).with_no_client_auth()))
}

/// Named here, because rustls panics without one if a program has several.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsFileError> {
    let text = read(path)?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match all {
        Ok(all) if all.is_empty() => Err(TlsFileError::new(path, Fault::NoCertificate)),
        Ok(all) => Ok(all),
        Err(error) => Err(TlsFileError::new(path, Fault::Pem(error))),
    }
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsFileError> {
    let text = read(path)?;
    let is_encrypted = || {
        let lines = || text.split(|byte| *byte == b'\n').map(|line| line.trim_ascii());
        lines().any(|line| line == b"-----BEGIN ENCRYPTED PRIVATE KEY-----" || line == b"Proc-Type: 4,ENCRYPTED")
    };
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| {
        let fault = match error {
            _ if is_encrypted() => Fault::Encrypted,
            pem::Error::NoItemsFound => Fault::NoKey,
            error => Fault::Pem(error),
        };
        TlsFileError::new(path, fault)
    })
}

fn read(path: &Path) -> Result<Vec<u8>, TlsFileError> {
    std::fs::read(path).map_err(|error| TlsFileError::new(path, Fault::Read(error)))
}

/// Why the certificates or the key in a file cannot be used.
#[derive(Debug)]
pub struct TlsFileError {
    path: PathBuf,
    fault: Fault,
}

#[derive(Debug)]
enum Fault {
    Read(io::Error),
    Pem(pem::Error),
    NoCertificate,
    Certificate(rustls::Error),
    NoKey,
    Encrypted,
    Key(rustls::Error),
    /// It belongs to another certificate than those of this file.
    OtherKey(PathBuf),
}

impl TlsFileError {
    fn new(path: &Path, fault: Fault) -> Self {
        Self { path: path.to_owned(), fault }
    }
}

impl fmt::Display for TlsFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.fault {
            Fault::Read(error) => write!(f, "cannot read {path}: {error}"),
            Fault::Pem(error) => write!(f, "{path} is no valid PEM file: {error}"),
            Fault::NoCertificate => write!(f, "{path} has no certificate: expected -----BEGIN CERTIFICATE-----"),
            Fault::Certificate(error) => write!(f, "a certificate in {path} cannot be used: {error}"),
            Fault::NoKey => write!(f, "{path} has no private key: expected -----BEGIN PRIVATE KEY-----"),
            Fault::Encrypted => write!(f, "the private key in {path} is encrypted: expected one without a password"),
            Fault::Key(error) => write!(f, "the private key in {path} cannot be used: {error}"),
            Fault::OtherKey(certificates) => {
                write!(f, "the private key in {path} does not belong to the certificate in {}", certificates.display())
            }
        }
    }
}

impl Error for TlsFileError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // The causes are parts of its own text.
        match &self.fault {
            Fault::Read(error) => error.source(),
            Fault::Pem(error) => error.source(),
            Fault::Certificate(error) | Fault::Key(error) => error.source(),
            Fault::NoCertificate | Fault::NoKey | Fault::Encrypted | Fault::OtherKey(_) => None,
        }
    }
}
