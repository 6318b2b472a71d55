//! The server: serves a listener with a configuration until shutdown, and returns a report.

use crate::calls::{CallLimits, Calls};
use crate::conversation::{Conversation, converse};
use crate::cores::Cores;
use crate::driver::Driver;
use crate::memory::Memory;
use crate::metrics::{Metrics, MetricsSnapshot};
use crate::phase::{CurrentPhase, Phase};
use crate::report::Report;
use crate::server_config::{Ended, ServerConfig};
use crate::service::Service;
use crate::spare::{Spare, is_exhausted};
use crate::transport::{Listener, Transport};
use crate::turns::Turns;
use echo_core::{CloseCode, CloseReason, Config, Connection};
use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, pending};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{info, warn};

/// Pause after a failed accept, which usually means that no descriptors are left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A refusal keeps its place at least this long: the client needs time to send, and to read the reason.
const GRACE: Duration = Duration::from_millis(100);

/// Serves until `shutdown` is ready, then drains by the close contract: each client is asked to leave and gets its
/// answers, within the deadlines of the configuration. It returns after all connections have ended. Dropping the future
/// drops them all.
///
/// A failed accept does not stop the server. A call that was dropped may end after this has returned, if it does not
/// await.
pub async fn serve<L: Listener, S: Service>(
    listener: L,
    service: S,
    config: ServerConfig,
    shutdown: impl Future<Output = ()>,
) -> Report {
    serve_until(listener, service, config, shutdown, pending()).await
}

/// Serves like [`serve`], and aborts all connections once `abort` is ready, before or after `shutdown`.
pub async fn serve_until<L: Listener, S: Service>(
    mut listener: L,
    service: S,
    config: ServerConfig,
    shutdown: impl Future<Output = ()>,
    abort: impl Future<Output = ()>,
) -> Report {
    let memory = Memory::new(config.max_memory, config.max_connections.saturating_add(config.max_refusals));
    let limits = Arc::new(CallLimits::new(&config));
    let metrics = config.metrics.clone().unwrap_or_default();
    metrics.begin(memory.clone(), limits.clone());
    let threads = config.cores.as_ref().map_or_else(|| Handle::current().metrics().num_workers(), Cores::count);
    let mut server = Server {
        settings: Settings::new(&config),
        service: Arc::new(service),
        limits,
        config,
        phase: Arc::default(),
        turns: Turns::new(threads),
        memory,
        served: JoinSet::new(),
        refused: JoinSet::new(),
        refusals: VecDeque::new(),
        spare: Spare::default(),
        metrics,
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
        // From here on the system refuses new connections, unless another process keeps the socket open.
        drop(listener);
    }
    server.count(|now| now.draining = true);
    if !aborting {
        info!("draining {} connections", server.served.len() + server.refused.len());
        server.phase.set(Phase::Draining);
        tokio::select! { biased;
            () = &mut abort => (),
            () = server.join_all() => (),
        }
    }
    server.phase.set(Phase::Aborting);
    server.join_all().await;
    server.metrics.read().report
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Served,
    Refused(Lack),
}

/// The resource that a refused connection lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lack {
    /// All `max_connections` are in use.
    Places,
    /// The process has no descriptors left.
    Descriptors,
}

struct Server<S> {
    service: Arc<S>,
    limits: Arc<CallLimits>,
    config: ServerConfig,
    settings: Settings,
    phase: Arc<CurrentPhase>,
    turns: Turns,
    memory: Arc<Memory>,
    served: JoinSet<Ended>,
    refused: JoinSet<Ended>,
    /// Running refusals that were not hurried, the oldest first: the end of the grace time, and the sender that hurries
    /// it.
    refusals: VecDeque<(Instant, oneshot::Sender<()>)>,
    spare: Spare,
    metrics: Metrics,
}

/// Settings that all connections share.
struct Settings {
    served: Arc<Config>,
    refused: Arc<Config>,
    close_reason: Arc<CloseReason>,
}

impl Settings {
    fn new(config: &ServerConfig) -> Self {
        let mut served = config.connection;
        served.utc_offset = config.clock.utc_offset;
        let mut refused = served;
        // A silent client must not keep a place from one that can be told why it is refused.
        refused.deadlines.idle = refused.deadlines.idle.min(refused.deadlines.detect);
        let close_reason = Arc::new(config.close_reason.clone());
        Self { served: Arc::new(served), refused: Arc::new(refused), close_reason }
    }
}

impl<S: Service> Server<S> {
    /// Accepts and joins connections, without end.
    async fn run<L: Listener>(&mut self, listener: &mut L) {
        loop {
            self.spare.refill();
            let kind = self.room();
            let grace = self.refusals.front().map_or_else(Instant::now, |(grace, _)| *grace);
            tokio::select! { biased;
                Some(ended) = self.served.join_next() => self.end(ended),
                Some(ended) = self.refused.join_next() => self.end(ended),
                accepted = listener.accept(), if kind.is_some() => match accepted {
                    Ok((stream, peer)) => self.begin(stream, peer, kind.unwrap_or(Kind::Refused(Lack::Places))),
                    Err(error) => self.pause(listener, &error).await,
                },
                () = sleep_until(grace), if kind.is_none() && grace > Instant::now() => (),
            }
        }
    }

    /// Accepts connections that are already established: otherwise the listener's end resets them.
    async fn accept_waiting<L: Listener>(&mut self, listener: &mut L) {
        while let Some(ended) = self.served.try_join_next().or_else(|| self.refused.try_join_next()) {
            self.end(ended);
        }
        while let Some(kind) = self.room() {
            let accepted = tokio::select! { biased;
                accepted = listener.accept() => accepted,
                // tokio learns of new connections only when this task yields.
                () = tokio::task::yield_now() => return,
            };
            match accepted {
                Ok((stream, peer)) => self.begin(stream, peer, kind),
                // A connection that is gone does no harm. Other errors end the loop: without descriptors no accept
                // works.
                Err(error) if is_gone(&error) => self.count(|now| now.report.accept_errors += 1),
                Err(_) => return,
            }
        }
    }

    /// Returns how to handle one more connection. `None` if it cannot be accepted now.
    fn room(&mut self) -> Option<Kind> {
        if self.served.len() < self.config.max_connections {
            return Some(Kind::Served);
        }
        self.refusals.retain(|(_, hurry)| !hurry.is_closed());
        let most = self.config.max_refusals.max(1);
        let is_room = self.refused.len() < most || self.refused.len() == most && self.oldest_can_go();
        is_room.then_some(Kind::Refused(Lack::Places))
    }

    fn begin<T: Transport>(&mut self, stream: T, peer: impl fmt::Display + Send + 'static, kind: Kind) {
        let home = self.config.cores.as_ref().map(|cores| cores.next().clone());
        let mut stream = match moved(stream, home.as_ref()) {
            Ok(stream) => stream,
            Err(error) => {
                self.count(|now| now.report.accept_errors += 1);
                warn!("cannot accept the connection from {peer}: {error}");
                return;
            }
        };
        let number = self.metrics.update(|now| {
            now.report.accepted += 1;
            now.report.accepted
        });
        stream.set_number(number);
        let limit = self.config.max_connections;
        let is_echo = self.service.is_echo();
        let settings = &self.settings;
        let driver = Driver::new(stream, self.config.clock, |epoch| match kind {
            Kind::Served if is_echo => Connection::server(settings.served.clone(), epoch),
            Kind::Served => Connection::service(settings.served.clone(), epoch),
            Kind::Refused(lack) => {
                let reason = match lack {
                    Lack::Places => format!("try again later: all {limit} connections are in use"),
                    Lack::Descriptors => "try again later: the server can open no more".to_owned(),
                };
                let reason = CloseReason::new(CloseCode::TRY_LATER, reason);
                Connection::refusing_server(settings.refused.clone(), epoch, reason)
            }
        });
        let to_be_refused = if kind == Kind::Served { "" } else { " and will be refused" };
        info!(connection = number, "connection {number} from {peer} begins{to_be_refused}");
        let driver = driver.sharing(self.turns.share(), self.memory.usage());
        let has_calls = kind == Kind::Served && !is_echo;
        let calls = has_calls
            .then(|| Box::new(Calls::new(self.service.clone(), self.limits.clone(), number, peer.to_string())));
        let mut conversation = Conversation {
            driver,
            calls,
            number,
            phase: Phase::Serving,
            close_reason: self.settings.close_reason.clone(),
            hurried: None,
            hurrying: false,
        };
        if kind == Kind::Served {
            spawn(&mut self.served, converse(conversation, peer, self.phase.clone()), home.as_ref());
            self.count(|_| ());
            return;
        }
        if self.refused.len() >= self.config.max_refusals.max(1) {
            self.hurry_oldest();
        }
        let (hurry, hurried) = oneshot::channel();
        conversation.hurried = Some(hurried);
        self.refusals.push_back((Instant::now() + GRACE, hurry));
        spawn(&mut self.refused, converse(conversation, peer, self.phase.clone()), home.as_ref());
        self.count(|now| now.report.refused_connections += 1);
    }

    /// Counts, and tells the metrics how many connections are open.
    fn count(&self, change: impl FnOnce(&mut MetricsSnapshot)) {
        let (open, refusing) = (self.served.len(), self.refused.len());
        self.metrics.update(|now| {
            (now.open, now.refusing) = (open, refusing);
            change(now);
        });
    }

    fn end(&mut self, ended: Result<Ended, JoinError>) {
        match ended {
            Ok(ended) => {
                self.count(|now| {
                    now.report.count(&ended.outcome, ended.traffic);
                    now.durations.add(ended.duration);
                });
                if self.config.on_end.tell(&ended) {
                    let number = ended.number;
                    warn!(connection = number, "the `on_end` callback of connection {number} panicked");
                    self.count(|now| now.report.panicked += 1);
                }
            }
            Err(error) => {
                // This is a bug of this crate. The other connections continue.
                warn!("the task of a connection failed: {error}");
                self.count(|now| now.report.panicked += 1);
            }
        }
    }

    /// Counts a failed accept, and waits unless only that connection was gone. A lack of descriptors or memory passes.
    async fn pause<L: Listener>(&mut self, listener: &mut L, error: &io::Error) {
        self.count(|now| now.report.accept_errors += 1);
        warn!("cannot accept a connection: {error}");
        if is_gone(error) {
            return;
        }
        if is_exhausted(error) {
            self.refuse_one(listener).await;
        }
        sleep(ACCEPT_PAUSE).await;
    }

    /// Accepts one client with the spare descriptor to tell it why it is refused. Without a spare one, ends the oldest
    /// refusal.
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

    /// Returns whether the grace time of the oldest refusal is over.
    fn oldest_can_go(&self) -> bool {
        self.refusals.front().is_some_and(|(grace, _)| *grace <= Instant::now())
    }

    fn hurry_oldest(&mut self) {
        if let Some((_, oldest)) = self.refusals.pop_front() {
            // The send fails if the refusal has ended, and then there is room.
            let _ = oldest.send(());
        }
    }

    async fn join_all(&mut self) {
        loop {
            tokio::select! { biased;
                Some(ended) = self.served.join_next() => self.end(ended),
                Some(ended) = self.refused.join_next() => self.end(ended),
                else => return,
            }
        }
    }
}

/// Moves a stream to the runtime `home`, if there is one.
fn moved<T: Transport>(stream: T, home: Option<&Handle>) -> io::Result<T> {
    let Some(home) = home else { return Ok(stream) };
    let _entered = home.enter();
    stream.move_here()
}

/// Spawns a conversation on the runtime `home`, or on this one.
fn spawn(to: &mut JoinSet<Ended>, conversation: impl Future<Output = Ended> + Send + 'static, home: Option<&Handle>) {
    match home {
        Some(home) => to.spawn_on(conversation, home),
        None => to.spawn(conversation),
    };
}

/// Returns whether only this connection was gone before it was accepted: the next one may work.
fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}
