//! On real sockets of this machine: servers die or drain and are replaced on their port, connections are aborted.

use super::{Random, Shared, USERS, ask, check, client_config, lock, server_config, service, world};
use echo_net::{Client, Report, TcpListeners, serve_until};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

const SCHEDULES: u64 = 200;
/// The longest schedule.
const PATIENCE: Duration = Duration::from_secs(60);

struct Server {
    drain: oneshot::Sender<()>,
    die: oneshot::Sender<()>,
    task: JoinHandle<Report>,
}

async fn start(address: SocketAddr, world: &Shared) -> (SocketAddr, Server) {
    let listeners = TcpListeners::bind_shared(address).await.expect("the port is shared");
    let address = listeners.local_addrs().expect("it listens")[0];
    let ((drain, drained), (die, dead)) = (oneshot::channel::<()>(), oneshot::channel::<()>());
    // A sender that is dropped is no order.
    let order = async |order: oneshot::Receiver<()>| match order.await {
        Ok(()) => (),
        Err(_) => std::future::pending().await,
    };
    let (drained, dead) = (order(drained), order(dead));
    let task = tokio::spawn(serve_until(listeners, service(world), server_config(), drained, dead));
    (address, Server { drain, die, task })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_schedules_lose_nothing() {
    for seed in 0..SCHEDULES {
        timeout(PATIENCE, run(seed))
            .await
            .unwrap_or_else(|_| panic!("schedule {seed} is not over within {PATIENCE:?}"));
    }
}

async fn run(seed: u64) {
    let mut random = Random(seed);
    let world = world(seed);
    let (address, mut server) = start(([127, 0, 0, 1], 0).into(), &world).await;
    let clients: Vec<Arc<Mutex<Vec<Client>>>> = (0..USERS).map(|_| Arc::default()).collect();
    let mut users: Vec<_> = (0..USERS)
        .zip(&clients)
        .map(|(user, clients)| {
            let connect = move || Client::connect(address, client_config());
            tokio::spawn(ask(Arc::clone(&world), user, Arc::clone(clients), connect))
        })
        .collect();
    for _ in 0..1 + random.below(4) {
        // Something is killed when so many more jobs have begun.
        let then = lock(&world).begun.len() as u64 + random.below(8);
        while (lock(&world).begun.len() as u64) < then && !users.iter().all(JoinHandle::is_finished) {
            tokio::task::yield_now().await;
        }
        let user = random.below(USERS) as usize;
        match random.below(4) {
            0 | 1 => {
                let (_, next) = start(address, &world).await;
                let old = std::mem::replace(&mut server, next);
                let order = if random.below(2) == 0 { old.die } else { old.drain };
                order.send(()).expect("the server runs");
                old.task.await.expect("the server does not panic");
            }
            2 => drop(clients[user].lock().expect("no panic").last().map(Client::abort)),
            _ => users[user].abort(),
        }
    }
    for user in &mut users {
        match user.await {
            Ok(()) => (),
            // It was killed. Its connections are closed politely when their last handle is dropped.
            Err(error) => assert!(error.is_cancelled(), "schedule {seed}: {error}"),
        }
    }
    drop(clients);
    server.drain.send(()).expect("the server runs");
    server.task.await.expect("the server does not panic");
    check(&world);
}
