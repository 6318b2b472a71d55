//! The programs of a run, the client and the server of `echo-net`, on the network of any backend.

mod call;
mod controller;
mod host_program;
mod instrumented_stream;
mod pace;
#[cfg(feature = "packet")]
mod watch;

pub(super) use controller::{Controller, HostCommand};
#[cfg(feature = "turmoil")]
pub(super) use host_program::HostProgram;
#[cfg(feature = "turmoil")]
pub(super) use host_program::Inbox;
pub(super) use host_program::Slot;
pub(super) use instrumented_stream::{SharedLog, lock};
#[cfg(feature = "packet")]
pub(super) use watch::{Watch, start_programs};

use echo_net::Transport;
use std::future::Future;
use std::io;

/// The network between the programs: connects and accepts.
pub(super) trait Net: Clone + Send + Sync + 'static {
    /// One end of a connection.
    type Stream: Transport;
    /// The server's listener.
    type Listener: Send + 'static;

    /// Makes the server listen.
    fn bind(&self) -> impl Future<Output = io::Result<Self::Listener>> + Send;

    /// Accepts a connection for the server. Must be cancel safe.
    fn accept(listener: &mut Self::Listener) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// Connects the client.
    fn connect(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}
