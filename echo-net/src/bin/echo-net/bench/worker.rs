//! The threads, and the conversations of each.

use super::csv::Csv;
use super::plan::{Pace, Plan};
use super::results::Results;
use super::stage::{Run, Stage};
use super::user::User;
use crate::exit::counted;
use echo_net::echo_core::{End, Outcome};
use echo_net::{ConnectError, Transport, connect_tcp, exchange, exchange_plainly};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Instant;
use tokio::task::{LocalSet, spawn_blocking};

/// Running threads.
pub(super) struct Workers(Vec<JoinHandle<Results>>);

/// Starts the threads.
///
/// # Errors
/// The system has no more threads.
pub(super) fn start(plan: &Arc<Plan>, run: &Arc<Run>, csv: Option<Csv>) -> Result<Workers, String> {
    let thread = |thread: usize| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (plan, run, csv) = (plan.clone(), run.clone(), csv.clone());
        let name = format!("connections {thread}");
        std::thread::Builder::new().name(name).spawn(move || {
            let worker = Worker { plan, run, csv, results: Rc::default() };
            runtime.block_on(worker.run(thread))
        })
    };
    let threads = (0..plan.threads).map(thread).collect::<std::io::Result<_>>();
    threads.map(Workers).map_err(|error| format!("cannot start {} threads: {error}", plan.threads))
}

impl Workers {
    /// Waits until all conversations have ended.
    ///
    /// # Errors
    /// A thread panicked.
    pub(super) async fn results(self) -> Result<Results, String> {
        let mut all = Results::default();
        for thread in self.0 {
            match spawn_blocking(|| thread.join()).await {
                Ok(Ok(results)) => all.merge(&results),
                Ok(Err(_)) | Err(_) => return Err("a thread of the load panicked".to_owned()),
            }
        }
        Ok(all)
    }
}

/// The conversations of one thread.
#[derive(Clone)]
struct Worker {
    plan: Arc<Plan>,
    run: Arc<Run>,
    csv: Option<Csv>,
    results: Rc<RefCell<Results>>,
}

impl Worker {
    async fn run(self, thread: usize) -> Results {
        let tasks = LocalSet::new();
        for connection in (thread..self.plan.connections).step_by(self.plan.threads) {
            let worker = self.clone();
            tasks.spawn_local(async move {
                match worker.plan.pace {
                    Pace::Short => worker.repeat(connection).await,
                    Pace::Closed { .. } | Pace::Open { .. } => worker.once(connection).await,
                }
            });
        }
        tasks.await;
        self.results.take()
    }

    async fn once(&self, connection: usize) {
        match self.converse(connection).await {
            Ok(Some(outcome)) => {
                let mut results = self.results.borrow_mut();
                results.add_outcome(&outcome);
                if self.run.stage() != Stage::Done && is_usual(&outcome) {
                    results.add_failure(|| format!("it ended before the run was over: {outcome}"));
                }
            }
            Ok(None) => (),
            Err(error) => self.results.borrow_mut().add_failure(|| error),
        }
    }

    /// Short conversations, one after the other. After one that failed this place stays empty: the server may be gone.
    async fn repeat(&self, connection: usize) {
        while self.run.stage() != Stage::Done {
            let begin = Instant::now();
            let outcome = match self.converse(connection).await {
                Ok(Some(outcome)) => outcome,
                Ok(None) => return,
                Err(error) => return self.results.borrow_mut().add_failure(|| error),
            };
            let mut results = self.results.borrow_mut();
            self.run.count.fetch_add(1, Ordering::Relaxed);
            results.add_outcome(&outcome);
            if !is_usual(&outcome) {
                return;
            }
            if self.run.stage() == Stage::Measuring {
                results.count += 1;
                results.latency.add(i64::try_from(begin.elapsed().as_nanos()).unwrap_or(i64::MAX));
            }
        }
    }

    /// Runs one conversation. `None` if the run was over before it was connected.
    async fn converse(&self, connection: usize) -> Result<Option<Outcome>, String> {
        let (server, whole) = (self.plan.server, self.plan.config.connection.deadlines.connect);
        match &self.plan.tls {
            Some(tls) => self.converse_over(tls.connect(server, whole), connection).await,
            None => self.converse_over(connect_tcp(server, whole), connection).await,
        }
    }

    async fn converse_over<T: Transport>(
        &self,
        connecting: impl Future<Output = Result<T, ConnectError>>,
        connection: usize,
    ) -> Result<Option<Outcome>, String> {
        let config = self.plan.config;
        let stream = tokio::select! { biased;
            connected = connecting => connected.map_err(|error| error.to_string())?,
            () = self.run.is_done() => return Ok(None),
        };
        self.results.borrow_mut().add_connected();
        let rows = self.csv.as_ref().map(|csv| csv.rows(connection));
        let mut user = User::new(&self.plan, &self.run, &self.results, connection, rows);
        let ended = match self.plan.is_plain {
            true => exchange_plainly(stream, config, &mut user).await,
            false => exchange(stream, config, &mut user).await,
        };
        let outcome = ended.map_err(|error| error.to_string())?;
        // The account of the framed wire knows it better.
        if self.plan.is_plain && user.unanswered() > 0 && is_usual(&outcome) {
            return Err(format!("{} without an answer", counted(user.unanswered(), "message")));
        }
        Ok(Some(outcome))
    }
}

/// Returns whether a conversation ended as it does if nothing goes wrong.
fn is_usual(outcome: &Outcome) -> bool {
    matches!(outcome.end, End::Clean(_) | End::Unproven)
}
