//! What must hold in each run.

use super::report::{Finding, FindingKind};
use super::run::{TrialEnding, TrialEvent, TrialRun};
use super::settings::{TimeWait, Trial};
use super::simulation::{self, Form};
use echo_core::Role;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};

impl<C: Debug + 'static, S: Debug + 'static> Trial<C, S> {
    /// Returns everything that is wrong with a run.
    pub fn findings(&self, run: &TrialRun<C, S>) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut find = |kind, what| findings.push(Finding { kind, what });
        if self.strict && run.is_unreached() {
            find(FindingKind::Unreached, "the I/O event at which the fault should be injected never came".to_owned());
        }
        for (side, bad) in [(Role::Client, bad_ending(&run.client)), (Role::Server, bad_ending(&run.server))] {
            let most = self.limits.events;
            match bad {
                Some((FindingKind::NeverEnds, what)) if run.of(side).any(|what| *what == TrialEvent::TooManyEvents) => {
                    find(
                        FindingKind::NeverEnds,
                        format!("the {} {what}: it had more than {most} I/O events (Trial::most_events)", side.name()),
                    );
                }
                Some((FindingKind::NeverEnds, _)) if self.may_hang => (),
                Some((FindingKind::NeverEnds, _)) if self.limits.form == Form::Network && side == Role::Server => {
                    find(FindingKind::NeverEnds, "the server never closed a connection".to_owned());
                }
                Some((kind, what)) => find(kind, format!("the {} {what}", side.name())),
                None => (),
            }
            for what in run.of(side) {
                if let TrialEvent::TaskPanicked(message) = what {
                    find(
                        FindingKind::Panic,
                        format!("a task of the {} panicked: {message}{}", side.name(), hint(message)),
                    );
                }
            }
        }
        for side in &run.leaking {
            find(FindingKind::Leak, format!("the {} has returned, and its stream is still open", side.name()));
        }
        for side in run.tasks_left.iter().filter(|side| !run.leaking.contains(side)) {
            find(
                FindingKind::Task,
                format!("the {} has returned, and a task of it does not end (Trial::exit_on_return)", side.name()),
            );
        }
        if let Some(what) = self.wrong_time_wait(run) {
            find(FindingKind::TimeWait, what);
        }
        for (kind, check) in [(FindingKind::Check, &self.check), (FindingKind::Surprise, &self.surprises)] {
            match catch_unwind(AssertUnwindSafe(|| check(run))) {
                Ok(Ok(())) => (),
                Ok(Err(what)) => find(kind, what),
                Err(panic) => find(FindingKind::Panic, format!("the check panicked: {}", simulation::message(&*panic))),
            }
        }
        findings
    }

    fn wrong_time_wait(&self, run: &TrialRun<C, S>) -> Option<String> {
        let expected = match self.time_wait {
            TimeWait::Client => Role::Client,
            TimeWait::Server => Role::Server,
            TimeWait::Any => return None,
        };
        if run.scenario.injection.is_some() || run.scenario.network.is_relay() || run.time_wait == [expected] {
            return None;
        }
        let holder = match run.time_wait[..] {
            [] => "nobody",
            [side] => side.name(),
            [..] => "both",
        };
        Some(format!("TIME_WAIT should be the {}'s, and is held by: {holder}", expected.name()))
    }
}

/// What is wrong with the end of a side, if anything.
fn bad_ending<T>(ending: &TrialEnding<T>) -> Option<(FindingKind, String)> {
    match ending {
        TrialEnding::Returned(_) | TrialEnding::Killed | TrialEnding::Serving => None,
        TrialEnding::Panicked(message) => Some((FindingKind::Panic, format!("panicked: {message}{}", hint(message)))),
        TrialEnding::NeverEnded => Some((FindingKind::NeverEnds, "never ended".to_owned())),
    }
}

/// What to do about a panic that comes from the runtime of a trial.
fn hint(message: &str) -> &'static str {
    if message.contains("IO is disabled") || message.contains("no reactor running") {
        " (a trial has no real sockets: give the program its TrialStream or TrialNet)"
    } else if message.contains("can call blocking only") {
        " (a side of a trial has one thread: leave block_in_place out of what it runs)"
    } else {
        ""
    }
}
