//! Which scenarios are run.

use super::endings;
use super::ladder::ladder;
use super::network::TrialNetwork;
use super::points::{self, Point};
use super::report::{Finding, FindingKind, TrialReport};
use super::run::{TrialRun, first_difference};
use super::scenario::{InjectedFault, Injection, TrialScenario};
use super::settings::Trial;
#[cfg(all(feature = "linux", target_os = "linux"))]
use super::simulation::Programs;
use super::simulation::{self, Form, Limits};
use crate::support::ScenarioError;
use echo_core::Role;
use std::collections::HashSet;
use std::fmt::Debug;

impl<C: Debug + 'static, S: Debug + 'static> Trial<C, S> {
    /// Runs all scenarios.
    pub fn run(&self) -> TrialReport {
        let mut report = self.run_shard(0, 1);
        self.add_what_never_happened(&mut report);
        report
    }

    /// Runs one of `shards` equal parts of the scenarios, counted from 0. Several tests that run one each take all cores.
    ///
    /// A part cannot say that something never happened ([`Trial::must_happen`]).
    ///
    /// # Panics
    /// If there is no such part.
    pub fn run_shard(&self, shard: usize, shards: usize) -> TrialReport {
        assert!(shard < shards, "expected a shard from 0 to below {shards}, not {shard}");
        let mut report = TrialReport::default();
        let mut orders = HashSet::new();
        let mut number = 0;
        // Of all that are run in one, each in its turn.
        let mut is_mine = || {
            number += 1;
            (number - 1) % shards == shard
        };
        for network in &self.all_networks() {
            let base = self.run_scenario(TrialScenario::new(None, network.uncut()));
            if !network.is_cut() && is_mine() {
                self.add(&mut report, &mut orders, &base);
            }
            for side in Role::BOTH {
                for point in self.points(&base, side) {
                    for fault in &self.faults {
                        if !point.fits(*fault, *network) || !is_mine() {
                            continue;
                        }
                        if fault.needs_a_stream() && !point.has_stream {
                            report.excluded += 1;
                            continue;
                        }
                        let injection = Some(Injection { side, fault: *fault, event: point.event });
                        let run = self.run_scenario(TrialScenario::new(injection, *network));
                        self.add(&mut report, &mut orders, &run);
                    }
                }
            }
        }
        report.distinct = orders.len();
        report
    }

    fn add_what_never_happened(&self, report: &mut TrialReport) {
        let Some((first, _)) = report.hashes.first().copied() else { return };
        for missing in self.must_happen.iter().filter(|note| !report.noted.contains(*note)).cloned().collect::<Vec<_>>()
        {
            let what = format!("nobody has noted {missing:?} in any run");
            let run = self.run_with_details(first);
            report.add(Finding { kind: FindingKind::NeverHappened, what }, first, run.log.len(), || ladder(&run));
        }
    }

    pub(super) fn all_networks(&self) -> Vec<TrialNetwork> {
        let sized = |network: &TrialNetwork| match &self.buffers[..] {
            [] => vec![*network],
            // The right one of a sum counts: a network's own buffer.
            buffers => buffers.iter().map(|bytes| TrialNetwork::buffer(*bytes) + *network).collect(),
        };
        let mut all: Vec<_> = self.networks.iter().flat_map(sized).collect();
        all.dedup();
        all
    }

    /// Runs one scenario, given by its id.
    ///
    /// # Errors
    /// A [`ScenarioError`] if there is no such scenario, a trial of this form has no such fault, or its I/O event does not occur.
    pub fn replay(&self, id: &str) -> Result<TrialRun<C, S>, ScenarioError> {
        let scenario: TrialScenario = id.parse()?;
        let form = match self.limits.form {
            Form::Stream => "one stream",
            Form::Network => "a network",
        };
        let possible = [self.limits.form.faults(), &InjectedFault::OPT_IN].concat();
        if let Some(Injection { fault, .. }) = scenario.injections().find(|one| !possible.contains(&one.fault)) {
            let (fault, possible) = (fault.id(), possible.iter().map(|one| one.id()).collect::<Vec<_>>().join(", "));
            return Err(ScenarioError::Parse(format!("a trial of {form} has no fault {fault}; it has {possible}")));
        }
        let run = self.run_with_details(scenario);
        match (run.scenario.injection, run.injected_at()) {
            (Some(Injection { side, fault, event }), None) => {
                let (count, side) = (run.events(side), side.name());
                Err(ScenarioError::Parse(format!(
                    "{} was never injected at event {event}: the {side} had {count}",
                    fault.id()
                )))
            }
            (Some(_), Some(_)) | (None, _) => Ok(run),
        }
    }

    /// Returns the closures, and the limits of one run.
    #[cfg(all(feature = "linux", target_os = "linux"))]
    pub(super) fn programs(&self) -> (&Programs<C, S>, Limits) {
        (&self.programs, self.limits)
    }

    /// Why no run of it can be one of Linux; `None` if one can.
    #[cfg(all(feature = "linux", target_os = "linux"))]
    pub(super) fn never_on_linux(&self) -> Option<&'static str> {
        match (self.limits.form, &self.rule) {
            (Form::Network, _) => Some("a trial of a network; only those of one stream run on Linux"),
            (_, Some(_)) => Some("a rule for packets, and those of Linux differ"),
            (Form::Stream, None) => None,
        }
    }

    pub(super) fn points(&self, base: &TrialRun<C, S>, side: Role) -> Vec<Point> {
        let all = points::of(base, side, self.limits.form);
        match self.sample {
            Some(count) if count < all.len() => points::spread(all, count),
            Some(_) | None => all,
        }
    }

    pub(super) fn run_scenario(&self, scenario: TrialScenario) -> TrialRun<C, S> {
        simulation::run(scenario, &self.programs, self.rule.as_ref(), self.limits)
    }

    /// Runs a scenario for its ladder.
    pub(super) fn run_with_details(&self, scenario: TrialScenario) -> TrialRun<C, S> {
        simulation::run(
            scenario,
            &self.programs,
            self.rule.as_ref(),
            Limits { details: Some(self.details), ..self.limits },
        )
    }

    /// Counts a run, whatever is found in it.
    pub(super) fn count(&self, report: &mut TrialReport, orders: &mut HashSet<u64>, run: &TrialRun<C, S>) {
        report.runs += 1;
        report.unreached += usize::from(run.is_unreached());
        *report.endings.entry(endings::of(run)).or_default() += 1;
        report.hashes.push((run.scenario, run.hash()));
        orders.insert(run.order());
        let is_noted =
            |wanted: &&String| Role::BOTH.into_iter().any(|side| run.notes(side).any(|note| note == *wanted));
        report.noted.extend(self.must_happen.iter().filter(is_noted).cloned());
    }

    fn add(&self, report: &mut TrialReport, orders: &mut HashSet<u64>, run: &TrialRun<C, S>) {
        self.count(report, orders, run);
        let mut findings = self.findings(run);
        if self.strict {
            findings.extend(difference(run, &self.run_scenario(run.scenario)));
        }
        for finding in findings {
            report.add(finding, run.scenario, run.log.len(), || ladder(&self.run_with_details(run.scenario)));
        }
    }
}

impl<C: Debug, S: Debug> TrialRun<C, S> {
    /// Returns the run as a ladder: the client's events left, the server's right, time downwards.
    pub fn ladder(&self) -> String {
        ladder(self)
    }
}

fn difference<C, S>(one: &TrialRun<C, S>, other: &TrialRun<C, S>) -> Option<Finding> {
    let (one, other) = (one.timeline(), other.timeline());
    let (number, left, right) = first_difference(&one, &other)?;
    let what = format!("line {number} of the timeline was {left:?}, and {right:?} when it was run again");
    Some(Finding { kind: FindingKind::NotDeterministic, what })
}
