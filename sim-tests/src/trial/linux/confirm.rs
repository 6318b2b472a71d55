//! Confirming findings: the program starts itself again in a namespace, and runs there what was found.

use super::run;
use crate::backend::{LinuxNetwork, do_on_linux, linux_worker};
use crate::linux::{Isolated, isolated_command, why_not};
use crate::trial::report::{Failure, Finding, OnLinux, TrialReport, is_alike};
use crate::trial::scenario::{TrialNetwork, TrialScenario};
use crate::trial::sweep::Trial;
use serde_json::{Value, json};
use std::cell::Cell;
use std::fmt::Debug;
use std::process::Command;

/// The environment variable that tells a process started by [`confirm`] which of the trials of its thread it serves.
const TRIAL: &str = "ECHO_TRIAL_ON_LINUX";

/// A trial whose findings are confirmed on the Linux kernel ([`Trial::confirm_on_linux`]).
#[derive(Debug)]
pub struct ConfirmedTrial<C, S>(Trial<C, S>);

impl<C: Debug + 'static, S: Debug + 'static> Trial<C, S> {
    /// Runs one scenario of each finding on the Linux kernel, too: the same closures on real sockets, in a network
    /// namespace of its own, with real time. [`Failure::on_linux`] has the result.
    ///
    /// For that, the program starts itself again, with its own arguments, or with the name of the test that this is. So
    /// what the test or program does before the trial is done again, and must lead to the same trial. It needs `unshare`
    /// (util-linux), `ip` (iproute2) and `/dev/net/tun`, and no privilege; if the machine does not allow it, the result
    /// says so.
    #[must_use]
    pub fn confirm_on_linux(self) -> ConfirmedTrial<C, S> {
        ConfirmedTrial(self)
    }
}

impl<C: Debug + 'static, S: Debug + 'static> ConfirmedTrial<C, S> {
    /// Runs all scenarios as [`Trial::run`] does, and then one of each finding on Linux.
    pub fn run(&self) -> TrialReport {
        let number = TRIALS.get();
        TRIALS.set(number + 1);
        if std::env::var(TRIAL).is_ok_and(|wanted| wanted == number.to_string()) {
            serve(self.0.clone());
        }
        let mut report = self.0.run();
        confirm(&mut report, number);
        report
    }
}

thread_local! {
    /// How many trials of this thread have come to their confirmation.
    static TRIALS: Cell<usize> = const { Cell::new(0) };
}

/// Does the runs that standard input asks for, until it ends. Then the process exits.
fn serve<C: Debug + 'static, S: Debug + 'static>(trial: Trial<C, S>) -> ! {
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
    let (client, server, budget) = trial.programs();
    let run = run::run(network, scenario, client, server, budget).await.map_err(|error| error.to_string())?;
    let findings: Vec<Value> =
        trial.findings(&run).iter().map(|finding| json!({"kind": finding.kind.id(), "what": finding.what})).collect();
    Ok(json!({"findings": findings, "ladder": run.ladder()}))
}

/// Runs one scenario of each finding on Linux, and notes the result in the report. `number` is the trial's.
fn confirm(report: &mut TrialReport, number: usize) {
    let chosen: Vec<Option<TrialScenario>> = report.failures.iter().map(expressible).collect();
    let jobs: Vec<String> = chosen.iter().flatten().map(ToString::to_string).collect();
    let results = if jobs.is_empty() { Ok(Vec::new()) } else { on_linux(number, &jobs) };
    let mut results = results.map(Vec::into_iter);
    for (failure, scenario) in report.failures.iter_mut().zip(chosen) {
        failure.on_linux = Some(match (scenario, &mut results) {
            (None, _) => OnLinux::NotExpressible("a RST that overtakes data; Linux takes none (RFC 5961)".to_owned()),
            (Some(_), Err(why)) => OnLinux::NotTried(why.clone()),
            (Some(scenario), Ok(results)) => judge(&failure.finding, scenario, &results.next().unwrap_or_default()),
        });
    }
}

/// Returns the shortest scenario of a finding that Linux can run, on the plainest of its networks.
fn expressible(failure: &Failure) -> Option<TrialScenario> {
    let can = |scenario: &&TrialScenario| scenario.network != TrialNetwork::RstOvertakes;
    let plainest = failure.all.iter().filter(can).min_by_key(|scenario| scenario.network);
    Some(failure.scenario).filter(|scenario| can(&scenario)).or(plainest.copied())
}

fn judge(finding: &Finding, scenario: TrialScenario, result: &Value) -> OnLinux {
    let ladder = result["ladder"].as_str().unwrap_or_default().to_owned();
    let is_same = |found: &Value| {
        let what = found["what"].as_str().unwrap_or_default().to_owned();
        found["kind"] == finding.kind.id() && is_alike(finding, &Finding { kind: finding.kind, what })
    };
    let is_found = result["findings"].as_array().is_some_and(|found| found.iter().any(is_same));
    if is_found { OnLinux::Confirmed { scenario, ladder } } else { OnLinux::NotConfirmed { scenario, ladder } }
}

/// Runs scenarios in this program, started again in a namespace of its own.
fn on_linux(number: usize, jobs: &[String]) -> Result<Vec<Value>, String> {
    if let Some(why) = why_not() {
        return Err(format!("this machine allows no network namespace: {why}"));
    }
    let failed = |error: std::io::Error| error.to_string();
    let mut again: Command = isolated_command(std::env::current_exe().map_err(failed)?).map_err(failed)?;
    again.env(TRIAL, number.to_string());
    match std::thread::current().name() {
        // A program, or a test program that has one thread; both take their own arguments.
        None | Some("main") => again.args(std::env::args_os().skip(1)),
        // The test harness names the thread of a test after it.
        Some(test) => again.args([test, "--exact", "--nocapture", "--include-ignored"]),
    };
    do_on_linux(again, jobs, || ()).map_err(failed)
}
