//! On turmoil: hosts lose their power and start again, servers drain, connections are aborted.

use super::{Random, Shared, USERS, ask, check, client_config, lock, server_config, service, world};
use echo_net::{Client, ConnectError, Listener, StreamTransport, serve};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;
use turmoil::Sim;
use turmoil::net::{TcpListener, TcpStream};

const SCHEDULES: u64 = 1000;
/// A step of a simulation, in milliseconds.
const TICK: u64 = 5;
/// Steps in which something is killed; a calm run takes about as many.
const EVENTFUL: u64 = 300;
/// The steps of the longest run: a minute.
const MOST: u64 = 60_000 / TICK;

#[test]
fn a_thousand_schedules_lose_nothing() {
    let seeds = Mutex::new(0..SCHEDULES);
    let all = std::thread::scope(|scope| {
        let worker = || {
            let mut seen = Seen::default();
            loop {
                let seed = seeds.lock().expect("no panic").next();
                let Some(seed) = seed else { return seen };
                let run = std::panic::AssertUnwindSafe(|| run(seed));
                seen.add(std::panic::catch_unwind(run).unwrap_or_else(|_| panic!("schedule {seed} fails")));
            }
        };
        let workers: Vec<_> = (0..2).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().fold(Seen::default(), |mut all, worker| {
            all.add(worker.join().expect("each schedule holds"));
            all
        })
    });
    // Each kind of event, and each fate, has happened often. A client that tries again is rarely refused for good.
    let Seen { crashes, drains, killed_users, aborts, fates } = all;
    for count in [crashes, drains, killed_users, aborts].into_iter().chain(fates) {
        assert!(count >= SCHEDULES / 100, "{all:?}");
    }
}

/// What has happened in a schedule.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    crashes: u64,
    drains: u64,
    killed_users: u64,
    aborts: u64,
    /// Jobs by fate.
    fates: [u64; 4],
}

impl Seen {
    fn add(&mut self, other: Self) {
        self.crashes += other.crashes;
        self.drains += other.drains;
        self.killed_users += other.killed_users;
        self.aborts += other.aborts;
        for (sum, count) in self.fates.iter_mut().zip(other.fates) {
            *sum += count;
        }
    }
}

/// A run and what it needs.
struct Run {
    sim: Sim<'static>,
    world: Shared,
    /// Tells the server to drain.
    drain: Arc<Notify>,
    clients: Vec<Arc<Mutex<Vec<Client>>>>,
    /// Users that were killed.
    killed: Vec<bool>,
    seen: Seen,
}

fn run(seed: u64) -> Seen {
    let mut random = Random(seed);
    let mut run = Run::new(seed);
    let events = 1 + random.below(5);
    let mut schedule: Vec<u64> = (0..events).map(|_| random.below(EVENTFUL)).collect();
    schedule.sort_unstable();
    let mut back = Vec::new();
    for step in 0..MOST {
        while schedule.first() == Some(&step) {
            schedule.remove(0);
            run.happen(&mut random, step, &mut back);
        }
        back.retain(|at| {
            if *at == step {
                run.sim.bounce("server");
            }
            *at > step
        });
        run.sim.step().expect("the hosts do not fail");
        if run.is_over() && back.is_empty() {
            check(&run.world);
            let world = lock(&run.world);
            world.fates.values().for_each(|fate| run.seen.fates[*fate as usize] += 1);
            return run.seen;
        }
    }
    panic!("not over within a minute of virtual time: {:?}", lock(&run.world).fates);
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut builder = turmoil::Builder::new();
        builder.rng_seed(seed).tick_duration(Duration::from_millis(TICK)).epoch(std::time::UNIX_EPOCH);
        builder.simulation_duration(Duration::from_secs(3600)).max_message_latency(Duration::from_millis(20));
        let mut sim = builder.build();
        let (world, drain) = (world(seed), Arc::new(Notify::new()));
        let host = (Arc::clone(&world), Arc::clone(&drain));
        sim.host("server", move || {
            let (world, drain) = host.clone();
            async move {
                loop {
                    let listener = Door(TcpListener::bind("0.0.0.0:2012").await?);
                    serve(listener, service(&world), server_config(), drain.notified()).await;
                }
            }
        });
        let clients: Vec<Arc<Mutex<Vec<Client>>>> = (0..USERS).map(|_| Arc::default()).collect();
        for (user, clients) in (0..USERS).zip(&clients) {
            let (world, clients) = (Arc::clone(&world), Arc::clone(clients));
            sim.host(name(user), move || {
                let (world, clients) = (Arc::clone(&world), Arc::clone(&clients));
                async move {
                    ask(world, user, clients, connect).await;
                    // A host whose software returns does not answer any more.
                    std::future::pending().await
                }
            });
        }
        Self { sim, world, drain, clients, killed: vec![false; USERS as usize], seen: Seen::default() }
    }

    fn happen(&mut self, random: &mut Random, step: u64, back: &mut Vec<u64>) {
        let user = random.below(USERS);
        match random.below(6) {
            0 | 1 if back.is_empty() => {
                self.seen.crashes += 1;
                self.sim.crash("server");
                back.push(step + 1 + random.below(300));
            }
            0..=2 if back.is_empty() => {
                self.seen.drains += 1;
                self.drain.notify_one();
            }
            3 if !self.killed[user as usize] => {
                self.seen.killed_users += 1;
                self.killed[user as usize] = true;
                self.sim.crash(name(user));
            }
            _ => {
                let clients = self.clients[user as usize].lock().expect("no panic");
                if let Some(client) = clients.last().filter(|_| !self.killed[user as usize]) {
                    self.seen.aborts += 1;
                    client.abort();
                }
            }
        }
    }

    fn is_over(&self) -> bool {
        let killed = self.killed.iter().filter(|killed| **killed).count() as u64;
        // A user who was through may be killed afterwards.
        lock(&self.world).through + killed >= USERS
    }
}

fn name(user: u64) -> String {
    format!("user-{user}")
}

async fn connect() -> Result<Client, ConnectError> {
    let limit = Duration::from_millis(300);
    match tokio::time::timeout(limit, TcpStream::connect("server:2012")).await {
        Ok(Ok(stream)) => Client::greet(StreamTransport(stream), client_config()).await,
        Ok(Err(error)) => Err(ConnectError::Transport(error)),
        Err(_) => Err(ConnectError::TimedOut(limit, Vec::new())),
    }
}

struct Door(TcpListener);

impl Listener for Door {
    type Stream = StreamTransport<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> io::Result<(Self::Stream, SocketAddr)> {
        self.0.accept().await.map(|(stream, peer)| (StreamTransport(stream), peer))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}
