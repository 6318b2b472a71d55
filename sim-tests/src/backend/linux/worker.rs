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
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
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
/// A worker that gives no result for this long is stuck.
const PATIENCE: Duration = Duration::from_secs(120);

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
                let line = match work(network, job).await {
                    Ok(result) => json!({"job": number, "result": result}),
                    Err(error) => json!({"job": number, "error": error}),
                };
                drop(place);
                // If standard output is closed, the parent is no more, and standard input ends as well.
                let _ = writeln!(io::stdout().lock(), "{line}");
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
/// The worker cannot be started, ends early, or gives no result for two minutes; or a job failed, with the job.
pub fn do_on_linux(mut worker: Command, jobs: &[String], mut done: impl FnMut()) -> io::Result<Vec<Value>> {
    let child = worker.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut worker = Worker(child);
    let lines: String = jobs.iter().map(|job| format!("{job}\n")).collect();
    let mut input = worker.0.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let output = worker.0.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let (sender, results) = mpsc::channel();
    std::thread::spawn(move || BufReader::new(output).lines().try_for_each(|line| sender.send(line)));
    // Its end would end the worker, so it stays open until all results are there.
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()).map(|()| input));
    let mut all = vec![Value::Null; jobs.len()];
    let mut left = jobs.len();
    while left > 0 {
        let line = match results.recv_timeout(PATIENCE) {
            Ok(line) => line?,
            Err(RecvTimeoutError::Timeout) => return Err(io::Error::other("the worker gives no result for 120 s")),
            Err(RecvTimeoutError::Disconnected) => return Err(worker.early_end()),
        };
        // A test program prints lines of its own.
        if !line.starts_with('{') {
            continue;
        }
        left -= 1;
        let (number, result) = result(&line)?;
        let job = jobs.get(number).ok_or_else(|| io::Error::other(format!("no job {number}")))?;
        all[number] = result.map_err(|error| io::Error::other(format!("{job}: {error}")))?;
        done();
    }
    drop(writer);
    Ok(all)
}

fn result(line: &str) -> io::Result<(usize, Result<Value, String>)> {
    let mut value: Value = serde_json::from_str(line)?;
    let number = value["job"].as_u64().and_then(|number| usize::try_from(number).ok());
    let number = number.ok_or_else(|| io::Error::other(format!("no result of a job: {line:?}")))?;
    let error = value["error"].as_str().map(str::to_owned);
    Ok((number, error.map_or_else(|| Ok(value["result"].take()), Err)))
}

/// Killed when it is dropped. Its own processes and its namespaces end with it.
struct Worker(Child);

impl Worker {
    /// Returns the error of a worker that has ended early.
    fn early_end(&mut self) -> io::Error {
        let mut text = String::new();
        if let Some(mut stderr) = self.0.stderr.take() {
            let _ = io::Read::read_to_string(&mut stderr, &mut text);
        }
        io::Error::other(format!("the worker has ended: {}", text.lines().last().unwrap_or("it printed no error")))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
