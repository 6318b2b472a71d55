//! Well-behaved clients at a steady rate. Each checks every answer.

use echo_net::{Client, ClientConfig};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

/// Number of clients.
pub(crate) const COUNT: usize = 100;
/// Requests of each client per second.
pub(crate) const RATE: u32 = 20;
/// Bytes of each request.
pub(crate) const PAYLOAD: usize = 64;

/// Maximum wait for an answer or an end.
const PATIENCE: Duration = Duration::from_secs(30);

/// Results of requests.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Requests without the right answer.
    pub(crate) lost: usize,
    /// Clients whose conversation did not end clean.
    pub(crate) not_clean: usize,
    /// Time from when a request was due until its answer.
    latencies: Vec<Duration>,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.lost += other.lost;
        self.not_clean += other.not_clean;
        self.latencies.extend(other.latencies);
    }

    /// Returns the latency of this percentile.
    pub(crate) fn percentile(&mut self, percent: usize) -> Duration {
        self.latencies.sort_unstable();
        let last = self.latencies.len().saturating_sub(1);
        self.latencies.get(last * percent / 100).copied().unwrap_or_default()
    }
}

/// What the clients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    WarmUp,
    Measure,
    Finish,
}

/// The clients, one task each.
pub(crate) struct Clients {
    phase: watch::Sender<Phase>,
    tasks: JoinSet<Tally>,
}

impl Clients {
    /// Connects all clients. Returns after each has received one answer.
    pub(crate) async fn connect(address: SocketAddr) -> Result<Self, crate::Failure> {
        let (phase, receiver) = watch::channel(Phase::WarmUp);
        let mut tasks = JoinSet::new();
        for number in 0..COUNT {
            let client = Client::connect(address, ClientConfig::default()).await?;
            client.request("first").await.map_err(|error| error.to_string())?;
            tasks.spawn(talk(client, number, receiver.clone()));
        }
        Ok(Self { phase, tasks })
    }

    /// Counts requests from now on.
    pub(crate) fn measure(&self) {
        self.phase.send_replace(Phase::Measure);
    }

    /// Ends all conversations by the contract.
    pub(crate) async fn finish(mut self) -> Tally {
        self.phase.send_replace(Phase::Finish);
        let mut tally = Tally::default();
        while let Some(of_one) = self.tasks.join_next().await {
            tally.add(of_one.unwrap_or(Tally { lost: 1, not_clean: 1, latencies: Vec::new() }));
        }
        tally
    }
}

async fn talk(client: Client, number: usize, phase: watch::Receiver<Phase>) -> Tally {
    let mut tally = Tally::default();
    let period = Duration::from_secs(1) / RATE;
    // The clients do not all send at the same moment.
    let start = Instant::now() + period.mul_f64(number as f64 / COUNT as f64);
    let mut due = interval_at(start, period);
    due.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for turn in 0u64.. {
        let at = due.tick().await;
        let now = *phase.borrow();
        if now == Phase::Finish {
            break;
        }
        let mut payload = vec![number as u8; PAYLOAD];
        payload[..8].copy_from_slice(&turn.to_be_bytes());
        let answer = timeout(PATIENCE, client.request(payload.clone())).await;
        let is_right = matches!(answer, Ok(Ok(answer)) if answer.payload == payload);
        if now == Phase::Measure {
            tally.lost += usize::from(!is_right);
            tally.latencies.push(at.elapsed());
        }
        if !is_right {
            break;
        }
    }
    let ended = timeout(PATIENCE, client.close()).await;
    tally.not_clean = usize::from(!ended.is_ok_and(|outcome| outcome.end.is_clean()));
    tally
}
