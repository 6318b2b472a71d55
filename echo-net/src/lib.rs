//! The echo/1 protocol over any `AsyncRead + AsyncWrite`: a server, a client, and the polite close.
//!
//! ```
//! use echo_net::{Client, ClientConfig, Echo, ServerConfig, serve};
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! # runtime.block_on(async {
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let address = listener.local_addr()?;
//! let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
//! let server = tokio::spawn(serve(listener, Echo, ServerConfig::default(), async { stopped.await.unwrap_or(()) }));
//!
//! let client = Client::connect(address, ClientConfig::default()).await?;
//! let answer = client.request("hello").await?;
//! assert_eq!(answer.payload, b"hello");
//! println!("there and back in {} ns", answer.stamps.delay());
//!
//! let outcome = client.close().await;
//! assert!(outcome.end.is_clean());
//! assert_eq!(outcome.account.answered, 1);
//!
//! drop(stop); // the server drains and reports
//! let report = server.await?;
//! assert_eq!(report.ended("clean"), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Instead of [`Echo`], a server can answer what you like: see [`Service`] and [`service_fn`], [`RetryClient`] for a client
//! that sends again what was refused, and [`Metrics`]. The clauses that are cited are those of `PROTOCOL.md` of `echo-core`.
//!
//! `echo-core` has the protocol and the close contract; this crate makes no protocol decisions. Other transports
//! implement [`Transport`] and [`Listener`]; [`StreamTransport`] adapts any stream. What it logs goes to `tracing`, with the
//! target `echo_net` and the levels error (a bug), warn (an end that is not clean), info and debug.
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `cli` | yes | the program `echo-net`, with many dependencies, and the features below; a library turns it off |
//! | `serde` | by `cli` | `Serialize` and `Deserialize` for `Report`, `Serialize` for `MetricsSnapshot` and `Ended` |
//! | `metrics` | by `cli` | `MetricsSnapshot::to_openmetrics`: metrics of a server as OpenMetrics text |
//! | `tower` | by `cli` | `TowerService`: a service of tower, with its layers, as a service |
//! | `tls` | by `cli` | TLS as a transport: `TlsListener`, `connect_tls` |
//! | `misbehave` | by `cli` | `misbehave`: hostile clients, to be run against a server of your own |
// So that docs.rs shows which feature an item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod calls;
mod client;
mod clock;
mod connect;
mod conversation;
mod cores;
mod driver;
mod echo_check;
mod either;
mod exchange;
mod in_memory;
mod listen;
mod memory;
mod metrics;
#[cfg(feature = "misbehave")]
pub mod misbehave;
#[cfg(feature = "metrics")]
mod openmetrics;
mod phase;
mod plain_client;
mod polite;
mod report;
mod request_error;
mod retry;
mod server;
mod server_config;
mod service;
mod spare;
mod system;
mod text;
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "tower")]
mod tower;
mod transport;
mod turns;

pub use client::{Answer, Client, ClientConfig, Pending};
pub use clock::Clock;
pub use connect::{ConnectError, connect_tcp};
pub use cores::Cores;
pub use echo_check::EchoCheck;
pub use echo_core;
pub use either::Either;
pub use exchange::{Exchange, exchange, exchange_plainly};
pub use in_memory::{MemoryAddr, MemoryConnector, MemoryListener, in_memory};
pub use listen::{TcpListeners, listen_tcp};
pub use metrics::{Durations, Metrics, MetricsSnapshot};
pub use plain_client::converse_plainly;
pub use polite::{Closed, Linger, PeerEnd, polite_close};
pub use report::Report;
pub use request_error::RequestError;
pub use retry::{RetryClient, RetryConfig, RetryError};
pub use server::{serve, serve_until};
pub use server_config::{Ended, OnEnd, ServerConfig};
pub use service::{Echo, Request, Response, Service, ServiceFn, service_fn};
pub use system::return_free_memory;
pub use text::printable;
#[cfg(feature = "tls")]
pub use tls::{TlsError, TlsFileError, TlsListener, TlsStream};
#[cfg(feature = "tls")]
pub use tls::{connect_tls, tls_authorities, tls_client_config, tls_server_config, tls_server_config_of};
#[cfg(feature = "tls")]
pub use tokio_rustls::rustls;
#[cfg(feature = "tower")]
pub use tower::TowerService;
#[cfg(unix)]
pub use transport::UnixAddr;
pub use transport::{Listener, StreamTransport, Transport};
