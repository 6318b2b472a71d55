//! Runs a kind on many connections. When one ends, another one follows until the time is over.

use super::peer::Peer;
use super::script::{self, ScriptEnd};
use super::{Kind, Load, MisbehaveReport, StreamEnd, Wire};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

/// Pause of a client that was refused or could not connect.
const PAUSE: Duration = Duration::from_millis(20);
/// Pause between the first connections. Without it they overflow the server's accept queue, and the system connects
/// again only after a second.
const RAMP: Duration = Duration::from_micros(250);

/// The shared state of an attack's connections.
#[derive(Debug)]
pub(super) struct Attack {
    pub(super) kind: Kind,
    pub(super) wire: Wire,
    pub(super) load: Load,
    pub(super) until: Instant,
    /// A payload of the maximum length.
    pub(super) filler: Vec<u8>,
    address: SocketAddr,
    turns: AtomicU64,
    report: Mutex<MisbehaveReport>,
}

/// Misbehaves as `kind` against the server at `address`. Returns after the load's duration, once all that the server
/// owes has arrived or the load's patience is over.
///
/// It works on a multi-threaded and on a single-threaded runtime, and needs a few KiB of memory for each connection.
pub async fn run(kind: Kind, address: SocketAddr, load: Load) -> MisbehaveReport {
    let began = Instant::now();
    let wire = load.wire_of(kind);
    let attack = Arc::new(Attack {
        kind,
        wire,
        load,
        until: began + load.duration,
        filler: vec![b'x'; load.payload_limit.max(1)],
        address,
        turns: AtomicU64::new(0),
        report: Mutex::new(MisbehaveReport::new(kind, wire)),
    });
    let mut slots = JoinSet::new();
    for number in 0..load.connections {
        let (attack, number) = (attack.clone(), u32::try_from(number).unwrap_or(u32::MAX));
        slots.spawn(async move { attack.repeat(number).await });
    }
    while slots.join_next().await.is_some() {}
    let mut report = attack.with_report(|report| report.clone());
    report.elapsed = began.elapsed();
    report
}

impl Attack {
    fn with_report<T>(&self, change: impl FnOnce(&mut MisbehaveReport) -> T) -> T {
        change(&mut self.report.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }

    /// Runs one connection after the other.
    async fn repeat(&self, number: u32) {
        if self.kind != Kind::ConnectBurst {
            sleep(RAMP * number).await;
        }
        while !self.is_over() {
            let Some(mut peer) = self.connect(number).await else {
                self.with_report(|report| report.not_connected += 1);
                sleep(PAUSE).await;
                continue;
            };
            self.misbehave(&mut peer).await;
            let peer = peer.reset(StreamEnd::Open);
            let ending = peer.ending();
            self.with_report(|report| {
                report.connected += 1;
                report.written += peer.written;
                report.read += peer.read;
                report.answers += peer.scanner.answers;
                report.count(ending, &peer.scanner.reason);
            });
            drop(peer);
            if ending.is_busy() {
                sleep(PAUSE).await;
            }
        }
    }

    async fn connect(&self, number: u32) -> Option<Peer> {
        let connect = Peer::connect(self.address, self.wire, number);
        timeout_at(self.until, connect).await.ok().and_then(Result::ok)
    }

    /// Runs the script, and then waits for the server's reaction.
    async fn misbehave(&self, peer: &mut Peer) {
        let began = Instant::now();
        let turn = self.turns.fetch_add(1, Ordering::Relaxed);
        let due = began.checked_add(self.kind.closes_after(self.wire, &self.load.deadlines));
        let latest = due.map_or(self.until, |at| at.min(self.until)) + self.load.patience;
        let whole = async {
            match script::play(peer, self, turn).await {
                Ok(ScriptEnd::Reset) => peer.end = Some(StreamEnd::Left),
                Ok(ScriptEnd::Hold { reading }) => {
                    if due.is_none_or(|at| at > self.until) {
                        return;
                    }
                    if reading {
                        peer.read_all().await;
                    } else {
                        peer.wait_unread().await;
                    }
                }
                Ok(ScriptEnd::Fin) | Err(_) => {
                    if peer.end.is_none() {
                        peer.finish().await;
                        peer.read_all().await;
                    }
                }
            }
        };
        if timeout_at(latest, whole).await.is_err() {
            peer.look();
            peer.end.get_or_insert(StreamEnd::Overdue);
        }
    }
}
