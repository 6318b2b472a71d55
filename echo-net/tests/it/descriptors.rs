//! Ten thousand conversations, and every kind of attacker, leave no task, descriptor or socket behind.

use crate::support::alone::alone;
use crate::support::{eventually, within};
use echo_net::misbehave::{Kind, Load, run};
use echo_net::{Client, ClientConfig, Echo, ServerConfig, listen_tcp, serve};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};

const CONNECTIONS: u64 = 10_000;
const AT_ONCE: usize = 50;

/// Clauses 5.4 and 5.5. Runs in its own process, because it counts what a process has.
#[test]
fn ten_thousand_connections_leave_nothing_behind() {
    if !alone("descriptors::ten_thousand_connections_leave_nothing_behind", &[]) {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(within(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it listens");
        let before = crate::support::sockets::Sockets::now();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tokio::spawn(serve(listener, Echo, ServerConfig::default(), async { drop(stopped.await) }));
        // Resources that are created at first use must exist before the count.
        converse(address).await;
        eventually_settled(1).await;
        let (tasks, descriptors) = (alive(), open_descriptors());

        let turns = Arc::new(Semaphore::new(AT_ONCE));
        for _ in 1..CONNECTIONS {
            let turn = turns.clone().acquire_owned().await.expect("it is never closed");
            tokio::spawn(async move {
                converse(address).await;
                drop(turn);
            });
        }
        drop(turns.acquire_many(AT_ONCE as u32).await.expect("it is never closed"));
        eventually_settled(tasks).await;
        eventually("the descriptors of the beginning", || open_descriptors() == descriptors);
        let sockets = crate::support::sockets::Sockets::now().without(&before).of(address.port());
        assert!(sockets.time_wait_at(address.port()).is_empty(), "TIME_WAIT is the client's");
        assert_eq!(sockets.half_closed(), 0);

        drop(stop);
        let report = server.await.expect("the server does not panic");
        assert_eq!(report.accepted, CONNECTIONS);
        assert_eq!(report.ended("clean"), CONNECTIONS, "{report}");
        assert_eq!((report.messages, report.bytes), (CONNECTIONS, CONNECTIONS * 7), "{report}");
        assert_eq!((report.refused_connections, report.accept_errors, report.panicked), (0, 0, 0), "{report}");
    }));
}

/// After each kind of attacker, tasks, descriptors and sockets are as at the beginning.
#[test]
fn attackers_leave_nothing_behind() {
    if !alone("descriptors::attackers_leave_nothing_behind", &[]) {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let listener = listen_tcp("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it listens");
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tokio::spawn(serve(listener, Echo, ServerConfig::default(), async { drop(stopped.await) }));
        converse(address).await;
        within(eventually_settled(1)).await;
        let (tasks, descriptors) = (alive(), open_descriptors());
        let (mut made, mut given_up) = (1, 0);
        for kind in Kind::ALL {
            for wire in kind.wires() {
                let mut load = Load::of(*kind);
                load.connections = 10;
                load.duration = Duration::from_millis(60);
                load.patience = Duration::from_secs(20);
                load.wire = *wire;
                let report = within(run(*kind, address, load)).await;
                assert!(report.is_allowed(), "{report}");
                made += report.connected;
                given_up += report.not_connected;
                within(eventually_settled(tasks)).await;
                eventually("the descriptors of the beginning", || open_descriptors() == descriptors);
                let open = || {
                    let sockets = crate::support::sockets::Sockets::now().of(address.port());
                    sockets.established() + sockets.half_closed()
                };
                eventually("the sockets of the beginning", || open() == 0);
            }
        }
        drop(stop);
        let report = within(server).await.expect("the server does not panic");
        assert_eq!((report.panicked, report.accept_errors), (0, 0), "{report}");
        // A connection that is reset in the accept queue is never accepted. A connection that the attacker gives up
        // while connecting can be complete in the kernel.
        let most = made + given_up;
        assert!(report.accepted <= most && report.accepted > made / 2, "{made} made, {given_up} given up, {report}");
    });
}

async fn converse(address: std::net::SocketAddr) {
    let client = Client::connect(address, ClientConfig::default()).await.expect("the server accepts");
    let answer = client.request("message").await.expect("the server answers");
    assert_eq!(answer.payload, b"message");
    let outcome = client.close().await;
    assert_eq!((outcome.end.name(), outcome.account.answered), ("clean", 1), "{outcome}");
}

/// Waits until at most `tasks` tasks are left, of the clients and of the server's connections.
async fn eventually_settled(tasks: usize) {
    while alive() > tasks {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn alive() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

fn open_descriptors() -> usize {
    procfs::process::Process::myself().and_then(|me| me.fd_count()).expect("/proc/self/fd can be read")
}
