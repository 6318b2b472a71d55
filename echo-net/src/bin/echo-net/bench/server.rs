//! A server of its own, in a thread of its own.

use super::Failure;
use crate::exit::Exit;
use echo_net::echo_core::{Config, Role};
use echo_net::{Echo, Report, ServerConfig, listen_tcp, serve};
use std::io;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread::JoinHandle;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

pub(super) struct Embedded {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<Report>,
}

impl Embedded {
    /// Starts it on loopback, at a free port.
    pub(super) fn start(connection: Config, connections: usize) -> Result<Self, Failure> {
        let failed = |error: io::Error| (Exit::System, format!("cannot start a server: {error}"));
        let (stop, stopped) = oneshot::channel();
        let (bound, address) = mpsc::channel();
        let thread = std::thread::Builder::new().name("server".to_owned()).spawn(move || {
            run(connection, connections, stopped, &bound).unwrap_or_else(|error| {
                // The receiver waits for it.
                let _ = bound.send(Err(error));
                Report::default()
            })
        });
        let thread = thread.map_err(failed)?;
        let address = address.recv().map_err(io::Error::other).and_then(|bound| bound).map_err(failed)?;
        Ok(Self { address, stop, thread })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops it, and returns its report.
    pub(super) async fn stop(self) -> Report {
        // It has stopped if nobody receives this.
        let _ = self.stop.send(());
        spawn_blocking(|| self.thread.join()).await.ok().and_then(Result::ok).unwrap_or_default()
    }
}

fn run(
    connection: Config,
    connections: usize,
    stopped: oneshot::Receiver<()>,
    bound: &mpsc::Sender<io::Result<SocketAddr>>,
) -> io::Result<Report> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = listen_tcp("127.0.0.1:0").await?;
        let mut config = ServerConfig::default();
        config.connection = connection;
        config.connection.first_fin = Role::Client;
        // A new conversation may begin before the server has joined the one before.
        config.max_connections = 2 * connections + 1024;
        config.max_memory = config.max_memory.max(config.least_memory());
        // The receiver waits for it.
        let _ = bound.send(listener.local_addr());
        let stopped = async {
            // A dropped sender stops it, too.
            let _ = stopped.await;
        };
        // As a task: connections wake one cheaply, and the future of `block_on` by a system call.
        tokio::spawn(serve(listener, Echo, config, stopped)).await.map_err(io::Error::other)
    })
}
