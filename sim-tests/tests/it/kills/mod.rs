//! A key-value store and a job queue whose servers, clients and handlers are killed at random moments: no job runs twice,
//! no acknowledged write is lost, and every account is true.

mod sockets;
mod turmoil;

use echo_net::echo_core::{CloseCode, Failure};
use echo_net::{Client, ClientConfig, ConnectError, Request, RequestError, Response, RetryClient, RetryConfig};
use echo_net::{RetryError, ServerConfig, Service, service_fn};
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::time::sleep;

/// Users, each with a client of its own.
const USERS: u64 = 3;
/// Jobs of a user. After each he writes and reads a value.
const JOBS: u64 = 12;

/// What survives a server, and what the users know.
#[derive(Default)]
struct World {
    /// Decides what handlers do.
    seed: u64,
    /// How often each job was begun. A handler that is killed has begun.
    begun: BTreeMap<u64, u64>,
    /// The store: a value for each user.
    store: BTreeMap<u64, u64>,
    /// What each job came to, as its user knows.
    fates: BTreeMap<u64, Fate>,
    /// Users that are through.
    through: u64,
}

type Shared = Arc<Mutex<World>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Done,
    /// The handler was killed, or had an error.
    Failed,
    /// It did not run.
    Refused,
    Unknown,
}

fn world(seed: u64) -> Shared {
    Arc::new(Mutex::new(World { seed, ..World::default() }))
}

fn lock(world: &Shared) -> MutexGuard<'_, World> {
    world.lock().expect("no panic while it is held")
}

/// The service: `run JOB`, `set USER VALUE`, `get USER`.
fn service(world: &Shared) -> impl Service + use<> {
    let world = Arc::clone(world);
    service_fn(move |request: Request| answer(Arc::clone(&world), request))
}

async fn answer(world: Shared, request: Request) -> Result<Response, Failure> {
    let text = String::from_utf8(request.payload).expect("the users send text");
    let words: Vec<&str> = text.split(' ').collect();
    let number = |at: usize| words[at].parse::<u64>().expect("a number");
    match words[0] {
        "set" => {
            lock(&world).store.insert(number(1), number(2));
            return Ok(Response::new("stored"));
        }
        "get" => return Ok(Response::new(lock(&world).store.get(&number(1)).copied().unwrap_or(0).to_string())),
        _ => (),
    }
    let job = number(1);
    let seed = {
        let mut world = lock(&world);
        *world.begun.entry(job).or_default() += 1;
        world.seed
    };
    match Random(seed << 16 | job).below(16) {
        // A panic without its message.
        0 => std::panic::resume_unwind(Box::new("the handler is killed")),
        1 => Err(Failure::new(CloseCode(4000), "no such job")),
        2 => {
            // It never ends: the deadline of calls kills it.
            std::future::pending::<()>().await;
            Ok(Response::default())
        }
        slow => {
            sleep(Duration::from_millis(slow)).await;
            Ok(Response::new("done"))
        }
    }
}

/// Deadlines that let a dead peer be noticed soon.
fn client_config() -> ClientConfig {
    let mut config = ClientConfig::default();
    let deadlines = &mut config.connection.deadlines;
    (deadlines.connect, deadlines.answer) = (Duration::from_millis(500), Duration::from_millis(700));
    (deadlines.drain, deadlines.shutdown) = (Duration::from_millis(900), Duration::from_millis(1500));
    config
}

fn server_config() -> ServerConfig {
    let mut config = ServerConfig::default();
    config.connection.deadlines.drain = Duration::from_millis(600);
    config.call_deadline = Duration::from_millis(60);
    config
}

/// Asks for all jobs of `user`, and writes and reads values, over connections that `connect` makes. Returns the clients of
/// all connections through `clients`.
async fn ask<F>(
    world: Shared,
    user: u64,
    clients: Arc<Mutex<Vec<Client>>>,
    connect: impl Fn() -> F + Send + Sync + 'static,
) where
    F: Future<Output = Result<Client, ConnectError>> + Send + 'static,
{
    let all = clients.clone();
    let connect = move || {
        let (connecting, all) = (connect(), all.clone());
        async move {
            let client = connecting.await?;
            all.lock().expect("no panic").push(client.clone());
            Ok(client)
        }
    };
    let mut config = RetryConfig::default();
    (config.attempts, config.pause) = (5, Duration::from_millis(20));
    let client = RetryClient::new(connect, config);
    // What this user may read: his last acknowledged value, or a later one that is unknown.
    let (mut acknowledged, mut written) = (0, 0);
    let (mut answered, mut unknown) = (0, 0);
    for number in 0..JOBS {
        let job = user * 1000 + number;
        let fate = fate(client.request(format!("run {job}")).await);
        lock(&world).fates.insert(job, fate);
        let value = number + 1;
        let set = self::fate(client.request(format!("set {user} {value}")).await);
        if set != Fate::Refused {
            written = value;
        }
        if set == Fate::Done {
            acknowledged = value;
        }
        let get = client.request(format!("get {user}")).await;
        if let Ok(answer) = &get {
            let read: u64 = String::from_utf8_lossy(&answer.payload).parse().expect("a number");
            assert!((acknowledged..=written).contains(&read), "wrote {acknowledged} to {written}, and reads {read}");
        }
        for fate in [fate, set, self::fate(get)] {
            answered += u64::from(matches!(fate, Fate::Done | Fate::Failed));
            unknown += u64::from(fate == Fate::Unknown);
        }
    }
    let account = client.account();
    assert_eq!((account.answered, account.unknown), (answered, unknown), "the account of user {user}");
    drop(client);
    let clients = std::mem::take(&mut *clients.lock().expect("no panic"));
    let mut told = (0, 0);
    for client in clients {
        let account = client.close().await.account;
        told = (told.0 + account.answered, told.1 + account.unknown);
    }
    assert_eq!(told, (answered, unknown), "the accounts of user {user}: answered, unknown");
    let mut world = lock(&world);
    let stored = world.store.get(&user).copied().unwrap_or(0);
    assert!((acknowledged..=written).contains(&stored), "an acknowledged write of user {user} is lost");
    world.through += 1;
}

fn fate(answer: Result<echo_net::Answer, RetryError>) -> Fate {
    match answer {
        Ok(_) => Fate::Done,
        Err(RetryError::Request(RequestError::Failed(_))) => Fate::Failed,
        Err(RetryError::Request(RequestError::Unknown { .. })) => Fate::Unknown,
        Err(RetryError::Connect(_) | RetryError::Request(RequestError::Refused { .. })) => Fate::Refused,
        Err(error) => panic!("not a fate: {error}"),
    }
}

/// Checks what the users know against what has run.
fn check(world: &Shared) {
    let world = lock(world);
    for (job, times) in &world.begun {
        assert_eq!(*times, 1, "job {job} runs twice");
    }
    for (job, fate) in &world.fates {
        let begun = world.begun.contains_key(job);
        let is_true = match fate {
            Fate::Done | Fate::Failed => begun,
            Fate::Refused => !begun,
            Fate::Unknown => true,
        };
        assert!(is_true, "job {job} is {fate:?}, and begun is {begun}");
    }
}

/// SplitMix64: a schedule is the same for the same seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}
