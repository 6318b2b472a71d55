//! Confirming findings: the program starts itself again in a namespace, and runs there what was found.

use super::run;
use crate::backend::{LinuxNetwork, do_after, linux_worker};
use crate::linux::{Isolated, isolated_command, why_not};
use crate::trial::report::{Failure, Finding, FindingKind, OnLinux, TrialReport, is_alike};
use crate::trial::scenario::TrialScenario;
use crate::trial::settings::Trial;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::fmt::Debug;
use std::process::Command;

/// The environment variable that tells a process which this module has started which trial it serves: its number among
/// those of its thread, and the name of the thread. Its standard input begins with a line of JSON: the results of the trials before that one.
const TRIAL: &str = "ECHO_TRIAL_ON_LINUX";

/// The results of a trial: one for each of its findings.
type Results = Vec<OnLinux>;

thread_local! {
    /// The results of the trials of this thread so far.
    static EARLIER: RefCell<Vec<Results>> = const { RefCell::new(Vec::new()) };
}

/// A trial whose findings are confirmed on the Linux kernel ([`Trial::confirm_on_linux`]).
#[derive(Debug)]
pub struct ConfirmedTrial<C, S>(Trial<C, S>);

impl<C: Debug + 'static, S: Debug + 'static> Trial<C, S> {
    /// Runs one scenario of each finding on the Linux kernel, too: the same closures on real sockets, in a network
    /// namespace of its own, with real time. [`Failure::on_linux`] has the result.
    ///
    /// For that, the program starts itself again, with its own arguments, or with the name of the test that this is. So
    /// what the test or program does before the trial is done again, and must lead to the same trial, without reading
    /// standard input. The trial must run on the main thread, or on the thread of the test. The kernel's buffers are its
    /// own, whatever [`Trial::buffer`] says. Only a trial of one stream runs there. It needs `setpriv` and `unshare` (util-linux), `ip` (iproute2) and
    /// `/dev/net/tun`, and no privilege; if the machine does not allow it, the result says so.
    #[must_use]
    pub fn confirm_on_linux(self) -> ConfirmedTrial<C, S> {
        ConfirmedTrial(self)
    }
}

impl<C: Debug + 'static, S: Debug + 'static> ConfirmedTrial<C, S> {
    /// Runs all scenarios as [`ConfirmedTrial::run`] does, and returns a row of a
    /// [`TrialPage`](crate::trial::TrialPage).
    #[cfg(feature = "report")]
    pub fn row(&self, name: impl Into<String>, asks: impl Into<String>) -> crate::trial::TrialRow {
        self.0.row_of(self.run(), name, asks)
    }

    /// Runs all scenarios as [`Trial::run`] does, and then one of each finding on Linux.
    pub fn run(&self) -> TrialReport {
        if let Some(why) = self.0.never_on_linux() {
            let mut report = self.0.run();
            let why = OnLinux::NotExpressible(why.to_owned());
            report.found_mut().for_each(|failure| failure.on_linux = Some(why.clone()));
            return report;
        }
        let number = EARLIER.with_borrow(Vec::len);
        let results = match wanted() {
            Some(wanted) if wanted == number => serve(self.0.clone()),
            // What this program does between its trials may depend on their results.
            Some(_) => Some(told(number)),
            None => None,
        };
        let mut report = self.0.run();
        let results = results.unwrap_or_else(|| confirm(&report, number));
        for (failure, result) in report.found_mut().zip(&results) {
            failure.on_linux = Some(result.clone());
        }
        EARLIER.with_borrow_mut(|earlier| earlier.push(results));
        report
    }
}

/// Returns the number of the trial that this process was started for, if it was for one of this thread.
fn wanted() -> Option<usize> {
    let wanted = std::env::var(TRIAL).ok()?;
    let (number, thread) = wanted.split_once(' ')?;
    // A process that the program has started inherits the variable, but is not the first of its namespace.
    let is_meant = std::process::id() == 1 && std::thread::current().name() == Some(thread);
    number.parse().ok().filter(|_| is_meant)
}

/// Returns the results of an earlier trial, as the process told that has started this one.
fn told(number: usize) -> Results {
    thread_local! {
        static TOLD: Vec<Results> = {
            let mut line = String::new();
            let read = std::io::stdin().read_line(&mut line);
            read.ok().and_then(|_| serde_json::from_str(&line).ok()).unwrap_or_default()
        };
    }
    TOLD.with(|told| told.get(number).cloned().unwrap_or_default())
}

/// Does the runs that standard input asks for, until it ends. Then the process exits.
fn serve<C: Debug + 'static, S: Debug + 'static>(trial: Trial<C, S>) -> ! {
    // The line of the earlier results is read before the jobs, also if there is no earlier trial.
    let _ = told(0);
    let work = move |network: LinuxNetwork, id: String| {
        let trial = trial.clone();
        async move { one(&trial, &network, &id).await }
    };
    let result = Isolated::prove()
        .map_err(|error| error.to_string())
        .and_then(|isolated| linux_worker(isolated, work).map_err(|error| error.to_string()));
    let error = result.err().unwrap_or_else(|| "the worker has ended".to_owned());
    // The parent shows the last line.
    eprintln!("{error}");
    std::process::exit(2)
}

async fn one<C: Debug + 'static, S: Debug + 'static>(
    trial: &Trial<C, S>,
    network: &LinuxNetwork,
    id: &str,
) -> Result<Value, String> {
    let scenario: TrialScenario = id.parse().map_err(|error: crate::ScenarioError| error.to_string())?;
    let (programs, limits) = trial.programs();
    let run = run::run(network, scenario, programs, limits).await.map_err(|error| error.to_string())?;
    let findings: Vec<Value> =
        trial.findings(&run).iter().map(|finding| json!({"kind": finding.kind.id(), "what": finding.what})).collect();
    Ok(json!({"findings": findings, "ladder": run.ladder()}))
}

/// Runs one scenario of each finding on Linux. `number` is the trial's. Returns a result for each finding.
fn confirm(report: &TrialReport, number: usize) -> Results {
    let chosen: Vec<Option<TrialScenario>> = report.found().map(expressible).collect();
    let jobs: Vec<String> = chosen.iter().flatten().map(ToString::to_string).collect();
    let results = if jobs.is_empty() { Ok(Vec::new()) } else { on_linux(number, &jobs) };
    let mut results = results.map(Vec::into_iter);
    let of = |(failure, scenario): (&Failure, Option<TrialScenario>)| match (scenario, &mut results) {
        _ if failure.finding.kind == FindingKind::NotDeterministic => {
            OnLinux::NotExpressible("on Linux no two runs are the same".to_owned())
        }
        (None, _) => OnLinux::NotExpressible(failure.scenario.network.not_on_linux().unwrap_or_default().to_owned()),
        (Some(_), Err(why)) => OnLinux::NotTried(why.clone()),
        (Some(scenario), Ok(results)) => judge(&failure.finding, scenario, &results.next().unwrap_or_default()),
    };
    report.found().zip(chosen).map(of).collect()
}

/// Returns the shortest scenario of a finding, if Linux can run it, or else one on the plainest of its networks.
fn expressible(failure: &Failure) -> Option<TrialScenario> {
    if failure.finding.kind == FindingKind::NotDeterministic {
        return None;
    }
    let can = |scenario: &&TrialScenario| scenario.network.not_on_linux().is_none();
    let plainest = failure.all.iter().filter(can).min_by_key(|scenario| scenario.network);
    Some(failure.scenario).filter(|scenario| can(&scenario)).or(plainest.copied())
}

fn judge(finding: &Finding, scenario: TrialScenario, result: &Value) -> OnLinux {
    let (Some(found), Some(ladder)) = (result["findings"].as_array(), result["ladder"].as_str()) else {
        return OnLinux::NotTried(format!("{scenario} has no result"));
    };
    let ladder = ladder.to_owned();
    let is_of = |found: &Value, kind: FindingKind| found["kind"] == kind.id();
    let is_same = |found: &Value| {
        let what = found["what"].as_str().unwrap_or_default().to_owned();
        is_of(found, finding.kind) && is_alike(finding, &Finding { kind: finding.kind, what })
    };
    if found.iter().any(is_same) {
        return OnLinux::Confirmed { scenario, ladder };
    }
    if found.iter().any(|found| is_of(found, FindingKind::Unreached)) {
        return OnLinux::NotTried(format!("{scenario}: its I/O event never came there"));
    }
    OnLinux::NotConfirmed { scenario, ladder }
}

/// Runs scenarios in this program, started again in a namespace of its own.
fn on_linux(number: usize, jobs: &[String]) -> Result<Vec<Value>, String> {
    if let Some(why) = why_not() {
        return Err(format!("this machine allows no network namespace: {why}"));
    }
    let failed = |error: std::io::Error| error.to_string();
    let thread = std::thread::current();
    let Some(name) = thread.name() else {
        return Err("confirm_on_linux must be called on the main thread, or on the thread of a test".to_owned());
    };
    let mut again: Command = isolated_command(std::env::current_exe().map_err(failed)?).map_err(failed)?;
    again.env(TRIAL, format!("{number} {name}"));
    match name {
        "main" => again.args(std::env::args_os().skip(1)),
        // The test harness names the thread of a test after it.
        test => again.args([test, "--exact", "--nocapture", "--include-ignored"]),
    };
    let earlier = EARLIER.with_borrow(serde_json::to_string).map_err(|error| error.to_string())?;
    do_after(again, &format!("{earlier}\n"), jobs, || ()).map_err(failed)
}
