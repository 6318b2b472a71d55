//! TLS as a transport, by rustls.

mod checked;
mod client;
mod error;
mod files;
mod listener;
mod stream;

pub use client::connect_tls;
pub use error::TlsError;
pub use files::{TlsFileError, tls_authorities, tls_client_config, tls_server_config, tls_server_config_of};
pub use listener::TlsListener;
pub use stream::TlsStream;
