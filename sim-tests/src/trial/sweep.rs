//! The trial: which scenarios are run, and what must hold in each run.

use super::TICK;
use super::ladder::ladder;
use super::net::TrialNet;
use super::network::TrialNetwork;
use super::points::{self, Point};
use super::report::{Finding, FindingKind, TrialReport};
use super::run::{TrialEnding, TrialEvent, TrialRun, first_difference};
use super::scenario::{InjectedFault, Injection, TrialScenario};
use super::simulation::{self, Details, Form, Limits, Programs};
use super::stream::TrialStream;
use crate::support::{Millis, ScenarioError};
use echo_core::Role;
use std::collections::HashSet;
use std::fmt::{self, Debug};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

type Check<C, S> = Rc<dyn Fn(&TrialRun<C, S>) -> Result<(), String>>;

/// Two programs, the check of their runs, and the settings.
pub struct Trial<C, S> {
    programs: Rc<Programs<C, S>>,
    check: Check<C, S>,
    /// What is allowed and surprising.
    surprises: Check<C, S>,
    networks: Vec<TrialNetwork>,
    buffers: Vec<usize>,
    faults: Vec<InjectedFault>,
    time_wait: TimeWait,
    limits: Limits,
    details: Details,
    may_hang: bool,
    strict: bool,
}

/// The side that has to hold TIME_WAIT when no fault is injected: the one that sends FIN first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimeWait {
    /// The client.
    Client,
    /// The server.
    Server,
    /// Either side: nothing is checked.
    Any,
}

impl<C: Debug + 'static, S: Debug + 'static> Trial<C, S> {
    /// Creates a trial of `client` and `server` on all networks with all faults. Each run has at most 30 s of virtual
    /// time; each direction has room for 64 KiB where the network says nothing else.
    ///
    /// `check` is called with every run, including the undisturbed ones. Its error is one line; errors that differ only
    /// in numbers count as the same.
    pub fn new<CF, SF>(
        client: impl Fn(TrialStream) -> CF + 'static,
        server: impl Fn(TrialStream) -> SF + 'static,
        check: impl Fn(&TrialRun<C, S>) -> Result<(), String> + 'static,
    ) -> Self
    where
        CF: Future<Output = C> + 'static,
        SF: Future<Output = S> + 'static,
    {
        let (client, server) = (move |stream| boxed(client(stream)), move |stream| boxed(server(stream)));
        Self::of(Programs::Stream(Rc::new(client), Rc::new(server)), check)
    }

    /// Creates a trial of programs that connect themselves, once or more often: each is given a [`TrialNet`]. The client is
    /// the side whose end is waited for. The server may serve for ever; it only has to close its connections.
    ///
    /// The I/O events of a side are those of all its connections, and those of connecting and accepting. The faults are
    /// [`InjectedFault::OF_NETWORK`]. All else is as with [`Trial::new`].
    ///
    /// ```
    /// use sim_tests::trial::{Trial, TrialNet, TrialRun};
    /// use std::io;
    /// use tokio::io::{AsyncReadExt, AsyncWriteExt};
    ///
    /// async fn client(net: TrialNet) -> io::Result<u8> {
    ///     let mut stream = net.connect(80).await?;
    ///     stream.write_u8(1).await?;
    ///     stream.read_u8().await
    /// }
    ///
    /// async fn server(net: TrialNet) -> io::Result<()> {
    ///     let listener = net.listen(80)?;
    ///     loop {
    ///         // A server that ended when an accept fails would not be there for the next client.
    ///         let Ok((mut stream, _)) = listener.accept().await else { continue };
    ///         tokio::spawn(async move {
    ///             let number = stream.read_u8().await?;
    ///             stream.write_u8(number + 1).await
    ///         });
    ///     }
    /// }
    ///
    /// fn check(run: &TrialRun<io::Result<u8>, io::Result<()>>) -> Result<(), String> {
    ///     match run.client.returned() {
    ///         Some(Ok(number)) if *number != 2 => Err(format!("1 and 1 is {number}")),
    ///         _ => Ok(()),
    ///     }
    /// }
    ///
    /// // Neither has deadlines, so both may wait for ever when the other vanishes.
    /// let report = Trial::of_network(client, server, check).may_hang().run();
    /// assert!(report.is_clean(), "{report}");
    /// ```
    pub fn of_network<CF, SF>(
        client: impl Fn(TrialNet) -> CF + 'static,
        server: impl Fn(TrialNet) -> SF + 'static,
        check: impl Fn(&TrialRun<C, S>) -> Result<(), String> + 'static,
    ) -> Self
    where
        CF: Future<Output = C> + 'static,
        SF: Future<Output = S> + 'static,
    {
        let (client, server) = (move |net| boxed(client(net)), move |net| boxed(server(net)));
        Self::of(Programs::Network(Rc::new(client), Rc::new(server)), check)
    }

    fn of(programs: Programs<C, S>, check: impl Fn(&TrialRun<C, S>) -> Result<(), String> + 'static) -> Self {
        let form = programs.form();
        let faults = match form {
            Form::Stream => InjectedFault::OF_STREAM.to_vec(),
            Form::Network => InjectedFault::OF_NETWORK.to_vec(),
        };
        Self {
            programs: Rc::new(programs),
            check: Rc::new(check),
            surprises: Rc::new(|_| Ok(())),
            networks: TrialNetwork::ALL.to_vec(),
            buffers: Vec::new(),
            faults,
            time_wait: TimeWait::Any,
            limits: Limits {
                form,
                budget: 30_000,
                buffer: 64 << 10,
                events: 10_000,
                exits: false,
                restarts: None,
                details: None,
            },
            details: Details::default(),
            may_hang: false,
            strict: false,
        }
    }

    /// Runs only on these networks.
    #[must_use]
    pub fn networks(mut self, networks: &[TrialNetwork]) -> Self {
        self.networks = networks.to_vec();
        self
    }

    /// Injects only these faults.
    #[must_use]
    pub fn faults(mut self, faults: &[InjectedFault]) -> Self {
        self.faults = faults.to_vec();
        self
    }

    /// Sets the side that has to hold TIME_WAIT in runs without a fault and without a relay.
    #[must_use]
    pub fn time_wait(mut self, side: TimeWait) -> Self {
        self.time_wait = side;
        self
    }

    /// Sets the limit of virtual time for one run; at least one step of 5 ms.
    #[must_use]
    pub fn budget(mut self, time: Duration) -> Self {
        self.limits.budget = Millis::try_from(time.as_millis()).unwrap_or(Millis::MAX / 2).clamp(TICK, Millis::MAX / 2);
        self
    }

    /// Sets how many bytes a side may write that its peer has not read; at least one.
    #[must_use]
    pub fn buffer(mut self, bytes: usize) -> Self {
        self.limits.buffer = bytes.max(1);
        self
    }

    /// Runs on each network with each of these buffers ([`TrialNetwork::buffer`]), in bytes. A network that names its own is
    /// run once.
    #[must_use]
    pub fn buffers(mut self, bytes: &[usize]) -> Self {
        self.buffers = bytes.to_vec();
        self
    }

    /// Sets how many I/O events a side may have. Default 10,000. A side with more is stopped, and has never ended.
    #[must_use]
    pub fn most_events(mut self, events: usize) -> Self {
        self.limits.events = events;
        self
    }

    /// Ends a program when its future returns, with all tasks that it has spawned, as a process does at the end of
    /// `main`. Without it, tasks go on, and one that never ends is a failure. On Linux, where a finding is confirmed, tasks
    /// go on in any case.
    #[must_use]
    pub fn exit_on_return(mut self) -> Self {
        self.limits.exits = true;
        self
    }

    /// Starts a program again so long after a crash has ended it.
    #[must_use]
    pub fn restarts(mut self, after: Duration) -> Self {
        self.limits.restarts = Some(Millis::try_from(after.as_millis()).unwrap_or(Millis::MAX / 2));
        self
    }

    /// Sets what ladders call the bytes that a side has read or written, such as the name of a frame. Without it, they show
    /// the first 16 bytes. A read or a write may have any part of a message.
    #[must_use]
    pub fn label(mut self, label: fn(Role, &[u8]) -> String) -> Self {
        self.details.label = Some(label);
        self
    }

    /// Shows in ladders what the programs send to `tracing`, up to this level.
    #[cfg(feature = "tracing")]
    #[must_use]
    pub fn tracing(mut self, level: tracing::level_filters::LevelFilter) -> Self {
        self.details.tracing = Some(level);
        self
    }

    /// Adds a second check, for what is allowed and surprising. Its errors are [`TrialReport::surprises`], and no failures.
    #[must_use]
    pub fn surprises(mut self, check: impl Fn(&TrialRun<C, S>) -> Result<(), String> + 'static) -> Self {
        self.surprises = Rc::new(check);
        self
    }

    /// Takes the check for one of what is allowed and surprising ([`Trial::surprises`]), so that its errors are no failures.
    #[must_use]
    pub fn only_surprises(mut self) -> Self {
        self.surprises = std::mem::replace(&mut self.check, Rc::new(|_| Ok(())));
        self
    }

    /// Accepts sides that never return. The check can still reject them.
    #[must_use]
    pub fn may_hang(mut self) -> Self {
        self.may_hang = true;
        self
    }

    /// Runs every scenario twice. A difference is a failure that shows the first line that differs.
    ///
    /// Runs that are equal in one process can differ in another: compare [`TrialReport::hashes`] of two processes.
    #[must_use]
    pub fn strict(mut self) -> Self {
        self.strict = true;
        self
    }

    /// Runs all scenarios.
    pub fn run(&self) -> TrialReport {
        let mut report = TrialReport::default();
        let mut orders = HashSet::new();
        for network in &self.all_networks() {
            let base = self.run_scenario(TrialScenario { injection: None, network: network.uncut() });
            if !network.is_cut() {
                self.add(&mut report, &mut orders, &base);
            }
            for side in Role::BOTH {
                for point in self.points(&base, side) {
                    for fault in &self.faults {
                        if *fault == InjectedFault::Nothing && !network.is_cut() || point.has_no_next(*fault) {
                            continue;
                        }
                        if fault.needs_a_stream() && !point.has_stream {
                            report.excluded += 1;
                            continue;
                        }
                        let injection = Some(Injection { side, fault: *fault, event: point.event });
                        let run = self.run_scenario(TrialScenario { injection, network: *network });
                        self.add(&mut report, &mut orders, &run);
                    }
                }
            }
        }
        report.distinct = orders.len();
        report
    }

    fn all_networks(&self) -> Vec<TrialNetwork> {
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
        let (possible, form) = match self.limits.form {
            Form::Stream => (&InjectedFault::OF_STREAM[..], "one stream"),
            Form::Network => (&InjectedFault::OF_NETWORK[..], "a network"),
        };
        if let Some(Injection { fault, .. }) = scenario.injection.filter(|one| !possible.contains(&one.fault)) {
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
                    find(FindingKind::Panic, format!("a task of the {} panicked: {message}", side.name()));
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

    /// Returns the closures, and the limits of one run.
    #[cfg(all(feature = "linux", target_os = "linux"))]
    pub(super) fn programs(&self) -> (&Programs<C, S>, Limits) {
        (&self.programs, self.limits)
    }

    /// Whether the programs connect themselves.
    #[cfg(all(feature = "linux", target_os = "linux"))]
    pub(super) fn is_of_network(&self) -> bool {
        self.limits.form == Form::Network
    }

    fn points(&self, base: &TrialRun<C, S>, side: Role) -> Vec<Point> {
        points::of(base, side, self.limits.form)
    }

    fn run_scenario(&self, scenario: TrialScenario) -> TrialRun<C, S> {
        simulation::run(scenario, &self.programs, self.limits)
    }

    /// Runs a scenario for its ladder.
    pub(super) fn run_with_details(&self, scenario: TrialScenario) -> TrialRun<C, S> {
        simulation::run(scenario, &self.programs, Limits { details: Some(self.details), ..self.limits })
    }

    fn add(&self, report: &mut TrialReport, orders: &mut HashSet<u64>, run: &TrialRun<C, S>) {
        report.runs += 1;
        report.unreached += usize::from(run.is_unreached());
        report.hashes.push((run.scenario, run.hash()));
        orders.insert(run.order());
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

/// What is wrong with the end of a side, if anything.
fn bad_ending<T>(ending: &TrialEnding<T>) -> Option<(FindingKind, String)> {
    match ending {
        TrialEnding::Returned(_) | TrialEnding::Killed | TrialEnding::Serving => None,
        TrialEnding::Panicked(message) => Some((FindingKind::Panic, format!("panicked: {message}"))),
        TrialEnding::NeverEnded => Some((FindingKind::NeverEnds, "never ended".to_owned())),
    }
}

fn boxed<T>(future: impl Future<Output = T> + 'static) -> Pin<Box<dyn Future<Output = T>>> {
    Box::pin(future)
}

fn difference<C, S>(one: &TrialRun<C, S>, other: &TrialRun<C, S>) -> Option<Finding> {
    let (one, other) = (one.timeline(), other.timeline());
    let (number, left, right) = first_difference(&one, &other)?;
    let what = format!("line {number} of the timeline was {left:?}, and {right:?} when it was run again");
    Some(Finding { kind: FindingKind::NotDeterministic, what })
}

/// Clones share the closures.
impl<C, S> Clone for Trial<C, S> {
    fn clone(&self) -> Self {
        let (programs, check) = (Rc::clone(&self.programs), Rc::clone(&self.check));
        let surprises = Rc::clone(&self.surprises);
        let (networks, buffers, faults) = (self.networks.clone(), self.buffers.clone(), self.faults.clone());
        Self { programs, check, surprises, networks, buffers, faults, ..*self }
    }
}

impl<C, S> Debug for Trial<C, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { networks, buffers, faults, time_wait, limits, details, may_hang, strict, .. } = self;
        f.debug_struct("Trial")
            .field("networks", networks)
            .field("buffers", buffers)
            .field("faults", faults)
            .field("time_wait", time_wait)
            .field("limits", limits)
            .field("details", details)
            .field("may_hang", may_hang)
            .field("strict", strict)
            .finish_non_exhaustive()
    }
}
