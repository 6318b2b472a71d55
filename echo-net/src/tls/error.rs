//! Why a client's handshake failed, in words that a person can act on.

use super::checked::is_silent;
use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;
use tokio_rustls::rustls::{self, CertificateError, HandshakeType};

/// Why a TLS handshake failed at the client.
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsError {
    /// The server does not speak TLS: what it sent, or that it ended without a byte.
    NotTls(io::Error),
    /// The server's certificate is not accepted.
    Certificate(CertificateError),
    /// The server refused the handshake, or does not agree with this side.
    Handshake(rustls::Error),
    /// The connection ended in the handshake.
    Ended(io::Error),
    /// The handshake was not complete within this time from the begin of the connect.
    TimedOut(Duration),
}

impl TlsError {
    /// Sorts the error of a handshake.
    pub(super) fn of(error: io::Error) -> Self {
        match error.downcast::<rustls::Error>() {
            Ok(rustls::Error::InvalidCertificate(error)) => Self::Certificate(error),
            Ok(error) if is_mirrored(&error) => Self::NotTls(io::Error::new(io::ErrorKind::InvalidData, MIRROR)),
            Ok(error) => Self::Handshake(error),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Self::NotTls(error),
            Err(error) if is_silent(&error) => Self::NotTls(error),
            Err(error) => Self::Ended(error),
        }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotTls(error) if is_silent(error) => {
                f.write_str("the server ended the connection without a TLS handshake")
            }
            // The violation says what was received instead.
            Self::NotTls(error) => write!(f, "the server does not speak TLS: {error}"),
            Self::Certificate(error) => describe(error, f),
            Self::Handshake(rustls::Error::AlertReceived(alert)) => {
                write!(f, "the server refused the TLS handshake ({alert:?})")
            }
            Self::Handshake(error) => write!(f, "the TLS handshake failed: {error}"),
            Self::TimedOut(whole) => write!(f, "the TLS handshake was not complete within {whole:?}"),
            Self::Ended(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                f.write_str("the server ended the connection in the TLS handshake")
            }
            Self::Ended(error) => write!(f, "the connection failed in the TLS handshake: {error}"),
        }
    }
}

const MIRROR: &str = "our own handshake back: this is a mirror";

/// Returns whether the server's first message was a client's.
fn is_mirrored(error: &rustls::Error) -> bool {
    matches!(error, rustls::Error::InappropriateHandshakeMessage { got_type: HandshakeType::ClientHello, .. })
}

fn describe(error: &CertificateError, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    use CertificateError::{
        BadSignature, Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet,
    };
    use CertificateError::{NotValidYetContext, UnknownIssuer};
    match error {
        Expired | ExpiredContext { .. } => f.write_str("the server's certificate has expired"),
        NotValidYet | NotValidYetContext { .. } => f.write_str("the server's certificate is not valid yet"),
        UnknownIssuer => f.write_str("no known authority has issued the server's certificate"),
        BadSignature => f.write_str("the server's certificate is not signed by the authority that it names"),
        NotValidForName => f.write_str("the server's certificate is for another name"),
        NotValidForNameContext { expected, presented } if !presented.is_empty() => {
            let presented: Vec<_> = presented.iter().map(|name| bare(name).escape_debug().to_string()).collect();
            let (expected, presented) = (expected.to_str(), presented.join(", "));
            write!(f, "the server's certificate is not for {expected}, but for {presented}")
        }
        NotValidForNameContext { expected, .. } => {
            write!(f, "the server's certificate is not for {}", expected.to_str())
        }
        CertificateError::Other(why) if format!("{why:?}").contains("CaUsedAsEndEntity") => {
            f.write_str("the server's certificate is that of an authority (CA:TRUE), not of a server")
        }
        _ => write!(f, "the server's certificate is not accepted: {error}"),
    }
}

/// Returns the name in `DnsName("example.org")`, as rustls gives it.
fn bare(name: &str) -> &str {
    name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(name).trim_matches('"')
}

impl Error for TlsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // The causes are parts of its own text.
        match self {
            Self::NotTls(error) | Self::Ended(error) => error.source(),
            Self::Certificate(_) | Self::TimedOut(_) => None,
            Self::Handshake(error) => error.source(),
        }
    }
}
