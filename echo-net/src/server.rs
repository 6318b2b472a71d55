//! The server: a listener, a configuration and a shutdown give a report.

use crate::driver::Driver;
use crate::memory::Memory;
use crate::report::Report;
use crate::server_config::{Ended, ServerConfig};
use crate::spare::{Spare, is_exhausted};
use crate::transport::{Listener, Transport};
use crate::turns::Turns;
use echo_core::{CloseCode, CloseReason, Connection, End, Event, Outcome, Traffic};
use std::collections::VecDeque;
use std::future::{Future, pending, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{debug, info, warn};

/// How long the server waits after it could not accept, most often for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// No refusal is let go for another before it: time for the client to speak, and to read the reason.
const GRACE: Duration = Duration::from_millis(100);

/// Serves until `shutdown` is ready, then drains by the close contract: every client is told, gets its answers, and
/// has until the deadlines of the configuration. All connections have ended when this returns; dropping the future
/// drops them all at once.
///
/// A connection that cannot be accepted does not stop the server.
pub async fn serve<L: Listener>(listener: L, config: ServerConfig, shutdown: impl Future<Output = ()>) -> Report {
    serve_until(listener, config, shutdown, pending()).await
}

/// Like [`serve`], and aborts all connections once `abort` is ready, whether or not `shutdown` was.
pub async fn serve_until<L: Listener>(
    mut listener: L,
    config: ServerConfig,
    shutdown: impl Future<Output = ()>,
    abort: impl Future<Output = ()>,
) -> Report {
    let (phase, _) = watch::channel(Phase::Serving);
    let memory = Memory::new(config.max_memory, config.max_connections.saturating_add(config.max_refusals));
    let mut server = Server {
        config,
        phase,
        turns: Turns::new(),
        memory,
        served: JoinSet::new(),
        refused: JoinSet::new(),
        refusals: VecDeque::new(),
        spare: Spare::default(),
        report: Report::default(),
    };
    let mut abort = pin!(abort);
    let mut aborting = false;
    {
        let mut shutdown = pin!(shutdown);
        tokio::select! { biased;
            () = &mut abort => aborting = true,
            () = &mut shutdown => server.accept_waiting(&mut listener).await,
            () = server.run(&mut listener) => (),
        }
        // From here on the system refuses who comes.
        drop(listener);
    }
    if !aborting {
        info!("draining {} connections", server.served.len() + server.refused.len());
        server.phase.send_replace(Phase::Draining);
        tokio::select! { biased;
            () = &mut abort => (),
            () = server.join_all() => (),
        }
    }
    server.phase.send_replace(Phase::Aborting);
    server.join_all().await;
    server.report
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Serving,
    Draining,
    Aborting,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Served,
    Refused(Lack),
}

/// What a refused connection finds none of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lack {
    /// All places are taken.
    Places,
    /// The process has no descriptors left.
    Descriptors,
}

struct Server {
    config: ServerConfig,
    phase: watch::Sender<Phase>,
    turns: Turns,
    memory: Memory,
    served: JoinSet<Ended>,
    refused: JoinSet<Ended>,
    /// Refusals under way that have not been hurried, the oldest first: when its grace is over, and what hurries it.
    refusals: VecDeque<(Instant, oneshot::Sender<()>)>,
    spare: Spare,
    report: Report,
}

impl Server {
    /// Accepts and joins, for ever.
    async fn run<L: Listener>(&mut self, listener: &mut L) {
        loop {
            self.spare.refill();
            let kind = self.room();
            let grace = self.refusals.front().map_or_else(Instant::now, |(grace, _)| *grace);
            tokio::select! { biased;
                Some(ended) = self.served.join_next() => self.count(ended),
                Some(ended) = self.refused.join_next() => self.count(ended),
                accepted = listener.accept(), if kind.is_some() => match accepted {
                    Ok((stream, peer)) => self.begin(stream, peer, kind.unwrap_or(Kind::Refused(Lack::Places))),
                    Err(error) => self.pause(listener, &error).await,
                },
                () = sleep_until(grace), if kind.is_none() && grace > Instant::now() => (),
            }
        }
    }

    /// Accepts who has connected already: they are to be told, not reset with the listener.
    async fn accept_waiting<L: Listener>(&mut self, listener: &mut L) {
        while let Some(ended) = self.served.try_join_next().or_else(|| self.refused.try_join_next()) {
            self.count(ended);
        }
        while let Some(kind) = self.room() {
            let accepted = tokio::select! { biased;
                accepted = listener.accept() => accepted,
                // The runtime hears of new connections only between two turns.
                () = tokio::task::yield_now() => return,
            };
            match accepted {
                Ok((stream, peer)) => self.begin(stream, peer, kind),
                // One that is gone costs the others nothing; without descriptors there is no more to be had.
                Err(error) if is_gone(&error) => self.report.accept_errors += 1,
                Err(_) => return,
            }
        }
    }

    /// What can be done with one more connection.
    fn room(&mut self) -> Option<Kind> {
        if self.served.len() < self.config.max_connections {
            return Some(Kind::Served);
        }
        self.refusals.retain(|(_, hurry)| !hurry.is_closed());
        let most = self.config.max_refusals.max(1);
        let is_room = self.refused.len() < most || self.refused.len() == most && self.oldest_can_go();
        is_room.then_some(Kind::Refused(Lack::Places))
    }

    fn begin<T: Transport>(&mut self, stream: T, peer: String, kind: Kind) {
        self.report.accepted += 1;
        let number = self.report.accepted;
        let limit = self.config.max_connections;
        let driver = Driver::new(stream, self.config.clock, self.config.connection, |mut config, epoch| match kind {
            Kind::Served => Connection::server(config, epoch),
            Kind::Refused(lack) => {
                // A client that says nothing must not keep a place from one that is to hear why it is refused.
                config.deadlines.idle = config.deadlines.idle.min(config.deadlines.detect);
                let reason = match lack {
                    Lack::Places => format!("try again later: all {limit} connections are in use"),
                    Lack::Descriptors => "try again later: the server can open no more".to_owned(),
                };
                Connection::refusing_server(config, epoch, CloseReason::new(CloseCode::TRY_LATER, reason))
            }
        });
        let to_be_refused = if kind == Kind::Served { "" } else { ", to be refused" };
        info!("connection {number} from {peer} begins{to_be_refused}");
        let driver = driver.sharing(self.turns.share(), self.memory.usage());
        let (hurry, hurried) = oneshot::channel();
        let orders = Orders { phase: self.phase.subscribe(), close_reason: self.config.close_reason.clone(), hurried };
        let task = async move {
            let (outcome, traffic) = converse(driver, number, orders).await;
            log_end(number, &peer, &outcome, traffic);
            Ended { number, peer, refused: kind != Kind::Served, outcome, traffic }
        };
        match kind {
            Kind::Served => drop(self.served.spawn(task)),
            Kind::Refused(_) => {
                self.report.refused += 1;
                if self.refused.len() >= self.config.max_refusals.max(1) {
                    self.hurry_oldest();
                }
                self.refused.spawn(task);
                self.refusals.push_back((Instant::now() + GRACE, hurry));
            }
        }
    }

    fn count(&mut self, ended: Result<Ended, JoinError>) {
        match ended {
            Ok(ended) => {
                self.report.count(&ended.outcome, ended.traffic);
                if self.config.on_end.tell(&ended) {
                    warn!("the call at the end of connection {} panicked", ended.number);
                    self.report.panicked += 1;
                }
            }
            Err(error) => {
                // A bug of ours; every other connection goes on.
                warn!("a connection's task failed: {error}");
                self.report.panicked += 1;
            }
        }
    }

    /// A connection that was gone before it was accepted costs nothing; want of descriptors or memory passes.
    async fn pause<L: Listener>(&mut self, listener: &mut L, error: &io::Error) {
        self.report.accept_errors += 1;
        warn!("cannot accept a connection: {error}");
        if is_gone(error) {
            return;
        }
        if is_exhausted(error) {
            self.refuse_one(listener).await;
        }
        sleep(ACCEPT_PAUSE).await;
    }

    /// Tells one client why it is refused, by the descriptor that was kept back; or makes room for the next.
    async fn refuse_one<L: Listener>(&mut self, listener: &mut L) {
        if self.spare.give() {
            tokio::select! { biased;
                Ok((stream, peer)) = listener.accept() => self.begin(stream, peer, Kind::Refused(Lack::Descriptors)),
                () = tokio::task::yield_now() => (),
                else => (),
            }
        } else if self.oldest_can_go() {
            self.hurry_oldest();
        }
    }

    /// Whether the oldest refusal has had its grace.
    fn oldest_can_go(&self) -> bool {
        self.refusals.front().is_some_and(|(grace, _)| *grace <= Instant::now())
    }

    fn hurry_oldest(&mut self) {
        if let Some((_, oldest)) = self.refusals.pop_front() {
            // If it has ended meanwhile, there is room.
            let _ = oldest.send(());
        }
    }

    async fn join_all(&mut self) {
        loop {
            tokio::select! { biased;
                Some(ended) = self.served.join_next() => self.count(ended),
                Some(ended) = self.refused.join_next() => self.count(ended),
                else => return,
            }
        }
    }
}

/// Whether a connection was gone before it was accepted, and the next one may be there.
fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

/// An end at which something may have been lost is a warning.
fn log_end(number: u64, peer: &str, outcome: &Outcome, traffic: Traffic) {
    match &outcome.end {
        End::Clean(_) => info!("connection {number} from {peer} ends: {outcome}"),
        // Plain text acknowledges nothing: the answers are on their way, and nobody knows more.
        End::Unproven => {
            let (began, answered) = (outcome.began, traffic.messages);
            info!(
                "connection {number} from {peer} ends: unproven, begun by {began}; {answered} answered, delivery unknown"
            );
        }
        End::Failed { .. } | End::Truncated | End::Reset | End::TimedOut(_) | End::Violation(_) => {
            warn!("connection {number} from {peer} ends: {outcome}");
        }
    }
}

fn log_step(number: u64, event: &Event<'_>) {
    match event {
        Event::Greeted { .. } => debug!("connection {number}: the client speaks echo/1"),
        Event::Leaving(close_reason) => debug!("connection {number}: the client leaves: {close_reason:?}"),
        Event::Close(word) => debug!("connection {number}: the client's CLOSE: {word:?}"),
        Event::Discarded => debug!("connection {number}: input behind the end is discarded"),
        Event::Request { .. } | Event::Reply(_) | Event::Text(_) => (),
    }
}

/// What the server tells a connection.
struct Orders {
    phase: watch::Receiver<Phase>,
    close_reason: CloseReason,
    /// Its place is wanted for another.
    hurried: oneshot::Receiver<()>,
}

/// One connection, from its first byte to its end.
async fn converse<T: Transport>(mut driver: Driver<T>, number: u64, orders: Orders) -> (Outcome, Traffic) {
    let Orders { phase, close_reason, mut hurried } = orders;
    let (mut for_drain, mut for_abort) = (phase.clone(), phase);
    let mut drain = pin!(reached(&mut for_drain, Phase::Draining));
    let mut abort = pin!(reached(&mut for_abort, Phase::Aborting));
    let (mut draining, mut aborting, mut hurrying) = (false, false, None);
    let outcome = poll_fn(|cx| {
        loop {
            // What has come already is answered before the client is told to leave.
            if let Poll::Ready(outcome) = driver.poll(cx, &mut |event| log_step(number, &event)) {
                return Poll::Ready(outcome);
            }
            if hurrying.is_none()
                && let Poll::Ready(order) = Pin::new(&mut hurried).poll(cx)
            {
                // Nobody is left to hurry a connection that is served.
                hurrying = Some(order.is_ok());
            }
            if !aborting && abort.as_mut().poll(cx).is_ready() {
                aborting = true;
                driver.abort();
            } else if !draining && drain.as_mut().poll(cx).is_ready() {
                draining = true;
                driver.leave(close_reason.clone());
            } else if hurrying == Some(true) && driver.hurry() {
                // What it waits for next is over, too.
            } else {
                return Poll::Pending;
            }
        }
    })
    .await;
    (outcome, driver.connection().traffic())
}

/// Waits for a phase; never ready if the server is gone, for then its tasks are aborted.
async fn reached(phase: &mut watch::Receiver<Phase>, wanted: Phase) {
    if phase.wait_for(|phase| *phase >= wanted).await.is_err() {
        pending::<()>().await;
    }
}
