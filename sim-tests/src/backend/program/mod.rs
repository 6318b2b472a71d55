//! The programs of a run, the client and the server of `echo-net`, on whatever network a backend has.

mod controller;
mod host_program;
mod instrumented_stream;
mod pace;

pub(super) use controller::{Controller, HostCommand};
#[cfg(feature = "turmoil")]
pub(super) use host_program::Inbox;
pub(super) use host_program::{HostProgram, Slot};
pub(super) use instrumented_stream::{SharedLog, lock};

use echo_net::Transport;
use std::future::Future;
use std::io;

/// How the programs of a run come by their connection.
pub(super) trait Net: Clone + Send + Sync + 'static {
    /// One end of it.
    type Stream: Transport;
    /// What accepts it.
    type Listener: Send + 'static;

    /// The server listens.
    fn bind(&self) -> impl Future<Output = io::Result<Self::Listener>> + Send;

    /// The server accepts. Must be cancel safe.
    fn accept(listener: &mut Self::Listener) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// The client connects.
    fn connect(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}
