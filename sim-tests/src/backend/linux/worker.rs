//! A process in a network namespace of its own that does jobs, and the process that gives them to it.
//!
//! A job is a line of text. A result is a line of JSON: the number of the job, and its result or the error. The worker
//! ends when its standard input ends, so nothing of it stays behind when its parent is killed.

use super::LinuxNetwork;
use crate::linux::Isolated;
use crate::record::Record;
use crate::scenario::Scenario;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};
use std::future::Future;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::sync::Semaphore;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::sleep;

/// Maximum number of conversations at a time. More of them disturb each other's deadlines.
const AT_ONCE: usize = 600;
/// The pause between two starts. Conversations that begin together would act together, and be late together.
const PAUSE: Duration = Duration::from_millis(5);
/// Descriptors that a conversation needs at most: a listener, two sockets, and their copies in other processes.
const DESCRIPTORS: usize = 6;
/// A worker that gives no result for this long is stuck. A run can be repeated many times.
const PATIENCE: Duration = Duration::from_secs(600);
/// What the line of a result begins with. The program of a worker may print other lines, or parts of lines.
const RESULT: &str = "result of a job: ";

/// Does the jobs of standard input by `work`, many at a time, and prints their results, until standard input ends. Then
/// the process exits. [`run_scenario`] is the work for scenarios.
///
/// # Errors
/// The namespace cannot be set up.
pub fn linux_worker<F, R>(isolated: Isolated, work: F) -> io::Result<()>
where
    F: Fn(LinuxNetwork, String) -> R + 'static,
    R: Future<Output = Result<Value, String>>,
{
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let (sender, mut jobs) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            if line.is_err() || line.is_ok_and(|line| sender.send(line).is_err()) {
                break;
            }
        }
        // The parent has all results, or is no more.
        std::process::exit(0);
    });
    let places = Arc::new(Semaphore::new(AT_ONCE.min(descriptors() / DESCRIPTORS).max(1)));
    let work = Rc::new(work);
    LocalSet::new().block_on(&runtime, async {
        let network = LinuxNetwork::new(isolated)?;
        for number in 0_usize.. {
            let Some(job) = jobs.recv().await else { break };
            // The semaphore is never closed.
            let place = Arc::clone(&places).acquire_owned().await;
            sleep(PAUSE).await;
            let (network, work) = (network.clone(), Rc::clone(&work));
            spawn_local(async move {
                // A task of its own: if it panics, that is its result.
                let result = spawn_local(async move { work(network, job).await }).await;
                let line = match result.unwrap_or_else(|error| Err(error.to_string())) {
                    Ok(result) => json!({"job": number, "result": result}),
                    Err(error) => json!({"job": number, "error": error}),
                };
                drop(place);
                // If standard output is closed, the parent is no more, and standard input ends as well.
                let _ = writeln!(io::stdout().lock(), "\n{RESULT}{line}");
            });
        }
        Ok(())
    })
}

/// Runs the scenario with this id. Returns its record.
///
/// # Errors
/// The text of a [`ScenarioError`](crate::ScenarioError).
pub async fn run_scenario(network: LinuxNetwork, id: String) -> Result<Value, String> {
    let scenario: Scenario = id.parse().map_err(|error: crate::ScenarioError| error.to_string())?;
    let record = network.run(&scenario).await.map_err(|error| error.to_string())?;
    serde_json::to_value(record).map_err(|error| error.to_string())
}

/// Raises the limit of open descriptors as far as this process may, and returns it.
fn descriptors() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let limit = setrlimit(Resource::Nofile, raised).map_or(limit.current, |()| limit.maximum);
    limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX))
}

/// Runs each scenario in a worker whose work is [`run_scenario`]. Calls `done` after each.
///
/// # Errors
/// The errors of [`do_on_linux`].
pub fn run_on_linux(worker: Command, scenarios: &[Scenario], done: impl FnMut()) -> io::Result<Vec<Record>> {
    let jobs: Vec<String> = scenarios.iter().map(ToString::to_string).collect();
    let results = do_on_linux(worker, &jobs, done)?;
    results.into_iter().map(|result| serde_json::from_value(result).map_err(io::Error::from)).collect()
}

/// Does each job in a worker: `worker` is a command of [`isolated_command`](crate::linux::isolated_command) whose
/// program calls [`linux_worker`]. Calls `done` after each. Returns the results in the order of the jobs.
///
/// # Errors
/// The worker cannot be started, ends early, or gives no result for ten minutes; or a job failed, with the job.
pub fn do_on_linux(worker: Command, jobs: &[String], done: impl FnMut()) -> io::Result<Vec<Value>> {
    do_after(worker, "", jobs, done)
}

/// Like [`do_on_linux`], for a worker whose program reads `preamble` before it calls [`linux_worker`].
///
/// # Errors
/// The errors of [`do_on_linux`].
pub(crate) fn do_after(
    mut worker: Command,
    preamble: &str,
    jobs: &[String],
    mut done: impl FnMut(),
) -> io::Result<Vec<Value>> {
    let child = worker.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut worker = Worker { child, last: Arc::default() };
    let lines: String = std::iter::once(preamble.to_owned()).chain(jobs.iter().map(|job| format!("{job}\n"))).collect();
    let mut input = worker.child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let output = worker.child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let (sender, results) = mpsc::channel();
    std::thread::spawn(move || BufReader::new(output).lines().try_for_each(|line| sender.send(line)));
    worker.listen();
    // Its end would end the worker, so it stays open until all results are there.
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()).map(|()| input));
    let mut all: Vec<Option<Value>> = vec![None; jobs.len()];
    while let Some(open) = all.iter().position(Option::is_none) {
        let line = match results.recv_timeout(PATIENCE) {
            Ok(line) => line?,
            Err(RecvTimeoutError::Timeout) => {
                let (job, limit) = (&jobs[open], PATIENCE.as_secs());
                return Err(io::Error::other(format!("{job}: the worker gives no result for {limit} s")));
            }
            Err(RecvTimeoutError::Disconnected) => return Err(worker.early_end()),
        };
        let Some(line) = line.strip_prefix(RESULT) else { continue };
        let (number, result) = result(line)?;
        let (Some(job), Some(slot @ None)) = (jobs.get(number), all.get_mut(number)) else {
            return Err(io::Error::other(format!("a result of job {number}, which is none or has one")));
        };
        *slot = Some(result.map_err(|error| io::Error::other(format!("{job}: {error}")))?);
        done();
    }
    drop(writer);
    Ok(all.into_iter().flatten().collect())
}

fn result(line: &str) -> io::Result<(usize, Result<Value, String>)> {
    let mut value: Value = serde_json::from_str(line)?;
    let number = value["job"].as_u64().and_then(|number| usize::try_from(number).ok());
    let number = number.ok_or_else(|| io::Error::other(format!("no result of a job: {line:?}")))?;
    let error = value["error"].as_str().map(str::to_owned);
    Ok((number, error.map_or_else(|| Ok(value["result"].take()), Err)))
}

/// Killed when it is dropped. Its own processes and its namespaces end with it.
struct Worker {
    child: Child,
    /// The last line that it has printed to standard error, apart from notes.
    last: Arc<Mutex<String>>,
}

impl Worker {
    /// Reads its standard error, so that it never waits to write there.
    fn listen(&mut self) {
        let Some(stderr) = self.child.stderr.take() else { return };
        let last = Arc::clone(&self.last);
        std::thread::spawn(move || {
            let lines = BufReader::new(stderr).lines().map_while(Result::ok);
            for line in lines.filter(|line| !line.trim().is_empty() && !line.starts_with("note: ")) {
                *last.lock().unwrap_or_else(PoisonError::into_inner) = line;
            }
        });
    }

    /// Returns the error of a worker that has ended early.
    fn early_end(&mut self) -> io::Error {
        let status = self.child.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let last = if last.is_empty() { "it printed no error".to_owned() } else { last };
        io::Error::other(format!("the worker has ended ({status}): {last}"))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
