//! Hostile and broken clients of an echo server, for tests against your own server.
//!
//! A [`Kind`] is one misbehaviour, and a [`Load`] is the size of the attack. [`run`] returns a [`MisbehaveReport`]: how
//! each connection ended, and whether the kind allows that.
//!
//! ```
//! use echo_net::misbehave::{Kind, Load, run};
//! use std::time::Duration;
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! # runtime.block_on(async {
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let address = listener.local_addr()?;
//! let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
//! let server = tokio::spawn(echo_net::serve(listener, echo_net::Echo, Default::default(), async { drop(stopped.await) }));
//!
//! let kind = Kind::GoawayWrongCount;
//! let mut load = Load::of(kind);
//! load.connections = 2;
//! load.duration = Duration::from_millis(50);
//! let report = run(kind, address, load).await;
//! assert!(report.is_allowed(), "{report}"); // each got CLOSE 1002
//!
//! drop(stop);
//! let served = server.await?;
//! assert_eq!(served.ended("violation"), served.accepted);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod allowed;
mod attack;
mod ending;
mod frames;
mod kind;
mod load;
mod peer;
mod report;
mod scanner;
mod script;

pub use attack::run;
pub use ending::{Close, Ending, StreamEnd};
pub use kind::{Kind, UnknownKind};
pub use load::{Load, Wire};
pub use report::MisbehaveReport;
