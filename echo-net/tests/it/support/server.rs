//! The library's server in this process, and servers with wrong behaviour.

use super::raw::Raw;
use super::sockets::Sockets;
use super::{bounded, within};
use echo_net::{Echo, Listener, Report, ServerConfig, Service, serve, serve_until};
use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// A server with its own threads, so that tests can block.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// Sockets of other tests that used the port before.
    before: Sockets,
    stop: oneshot::Sender<()>,
    abort: oneshot::Sender<()>,
    thread: JoinHandle<Report>,
}

/// The default settings of a server, with the changes of `change`.
pub(crate) fn server_config(change: impl FnOnce(&mut ServerConfig)) -> ServerConfig {
    let mut config = ServerConfig::default();
    change(&mut config);
    config
}

impl Server {
    pub(crate) fn start(config: ServerConfig) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("an option can be set");
        let address = listener.local_addr().expect("it listens");
        let (stop, stopped) = oneshot::channel();
        let (abort, aborted) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                let (stopped, aborted) = (async { drop(stopped.await) }, async { drop(aborted.await) });
                serve_until(listener, Echo, config, stopped, aborted).await
            })
        });
        Self { address, before: Sockets::now().of(address.port()), stop, abort, thread }
    }

    /// Drains, and returns the report.
    #[track_caller]
    pub(crate) fn drain(self) -> Report {
        self.drain_with(0)
    }

    /// The same, and expects `panicked` panics in the report.
    #[track_caller]
    pub(crate) fn drain_with(self, panicked: u64) -> Report {
        let Self { stop, abort, thread, .. } = self;
        let _ = stop.send(());
        let report = bounded("the server's end", move || thread.join().expect("the server does not panic"));
        drop(abort);
        assert_eq!(report.panicked, panicked);
        report
    }

    /// The sockets of this server's port, without those of other tests.
    pub(crate) fn sockets(&self) -> Sockets {
        Sockets::now().of(self.address.port()).without(&self.before)
    }
}

/// A server as a task of the test's own runtime.
pub(crate) struct ServerTask {
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<Report>,
}

impl ServerTask {
    pub(crate) fn start<L>(listener: L, service: impl Service, config: ServerConfig) -> Self
    where
        L: Listener<Addr = SocketAddr>,
    {
        let address = listener.local_addr().expect("it listens");
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(serve(listener, service, config, async { drop(stopped.await) }));
        Self { address, stop, task }
    }

    /// Drains, and returns the report.
    pub(crate) async fn drain(self) -> Report {
        let _ = self.stop.send(());
        within(self.task).await.expect("the server does not panic")
    }
}

/// A server that does `act` with its first connection. Returns its address, and a thread with the result of `act`.
pub(crate) fn fake<T: Send + 'static>(act: impl FnOnce(Raw) -> T + Send + 'static) -> (SocketAddr, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it listens");
    let thread = std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a client");
        act(Raw::on(stream))
    });
    (address, thread)
}

/// A port that refuses connections while this lives: it is bound, and nothing listens on it.
pub(crate) struct ClosedPort {
    pub(crate) address: SocketAddr,
    _bound: socket2::Socket,
}

impl ClosedPort {
    pub(crate) fn new() -> Self {
        let bound = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
        bound.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a free port");
        let address = bound.local_addr().ok().and_then(|address| address.as_socket()).expect("it is bound");
        Self { address, _bound: bound }
    }
}

/// Reads a client's bytes until its FIN or RST.
pub(crate) fn swallow(mut raw: Raw) -> Vec<u8> {
    let mut got = Vec::new();
    let _ = raw.stream.read_to_end(&mut got);
    got
}
