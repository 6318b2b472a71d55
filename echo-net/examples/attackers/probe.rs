//! New clients that connect while the server is attacked.

use echo_net::{Client, ClientConfig, RequestError};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout};

/// The pause between two clients.
const PERIOD: Duration = Duration::from_millis(50);
/// Maximum wait of one client.
const PATIENCE: Duration = Duration::from_secs(5);

/// Results of the clients.
#[derive(Debug, Default)]
pub(crate) struct Probes {
    /// Clients that connected, received the answer and ended clean.
    pub(crate) served: usize,
    /// Clients that were refused with a reason (1013).
    pub(crate) refused: usize,
    /// Clients that got neither in time.
    pub(crate) neither: usize,
    /// The longest time until a client was served or refused.
    pub(crate) slowest: Duration,
}

enum Fate {
    Served,
    Refused,
    Neither,
}

/// Starts a client in each [`PERIOD`]. When `stop` is sent or dropped, it waits for the running ones and ends.
pub(crate) fn start(address: SocketAddr, mut stop: tokio::sync::oneshot::Receiver<()>) -> JoinHandle<Probes> {
    tokio::spawn(async move {
        let mut under_way = JoinSet::new();
        while stop.try_recv() == Err(tokio::sync::oneshot::error::TryRecvError::Empty) {
            under_way.spawn(async move {
                let began = Instant::now();
                (timeout(PATIENCE, converse(address)).await.unwrap_or(Fate::Neither), began.elapsed())
            });
            sleep(PERIOD).await;
        }
        let mut probes = Probes::default();
        while let Some(probed) = under_way.join_next().await {
            let (fate, took) = probed.unwrap_or((Fate::Neither, Duration::ZERO));
            match fate {
                Fate::Served => probes.served += 1,
                Fate::Refused => probes.refused += 1,
                Fate::Neither => probes.neither += 1,
            }
            if !matches!(fate, Fate::Neither) {
                probes.slowest = probes.slowest.max(took);
            }
        }
        probes
    })
}

async fn converse(address: SocketAddr) -> Fate {
    let Ok(client) = Client::connect(address, ClientConfig::default()).await else { return Fate::Neither };
    match client.request("hello").await {
        Ok(_) if client.close().await.end.is_clean() => Fate::Served,
        Err(RequestError::Refused { .. }) if client.ended().await.end.to_string().contains("1013") => Fate::Refused,
        Ok(_) | Err(_) => Fate::Neither,
    }
}
