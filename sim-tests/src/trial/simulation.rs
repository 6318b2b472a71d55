//! One run: two computers, each with its own runtime and virtual clock, and the kernel between them.

use super::TICK;
use super::connection::End;
use super::host::Host;
use super::kernel::Kernel;
use super::net::TrialNet;
use super::note::run_as;
use super::packets::PacketRule;
use super::panics::{self, one_line};
use super::run::{TrialEnding, TrialEvent, TrialRun};
use super::scenario::{InjectedFault, TrialScenario};
use super::stream::{Shared, TrialStream};
use crate::support::Millis;
use echo_core::Role;
use std::any::Any;
use std::cell::RefCell;
use std::fmt::Debug;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

/// The user's closure for a side, with its future in a box.
pub(super) type Program<T, Given> = Rc<dyn Fn(Given) -> Pin<Box<dyn Future<Output = T>>>>;

/// The user's closures for both sides.
pub(super) enum Programs<C, S> {
    Stream(Program<C, TrialStream>, Program<S, TrialStream>),
    Network(Program<C, TrialNet>, Program<S, TrialNet>),
}

impl<C, S> Programs<C, S> {
    pub(super) fn form(&self) -> Form {
        match self {
            Self::Stream(..) => Form::Stream,
            Self::Network(..) => Form::Network,
        }
    }
}

/// What the programs are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Each an end of one connection.
    Stream,
    /// A network in which they connect themselves.
    Network,
}

impl Form {
    /// The faults of a trial of this form that names none.
    pub(super) fn faults(self) -> &'static [InjectedFault] {
        match self {
            Self::Stream => &InjectedFault::OF_STREAM,
            Self::Network => &InjectedFault::OF_NETWORK,
        }
    }
}

/// The result of a future, or the message of its panic; `None` until it ends.
type Slot<T> = Rc<RefCell<Option<Result<T, String>>>>;

/// How long tasks may go on when nothing else is left to do, in milliseconds.
const TASKS_END_WITHIN: Millis = 1000;

/// So many bytes of a read or a write are shown.
const SHOWN: usize = 16;

/// What else the log of a run shows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Details {
    /// What the user calls these bytes, which a side has read or written.
    pub(super) label: Option<fn(Role, &[u8]) -> String>,
    /// Up to which level events of `tracing` are shown.
    #[cfg(feature = "tracing")]
    pub(super) tracing: Option<tracing::level_filters::LevelFilter>,
}

impl Details {
    pub(super) fn label(self, side: Role, bytes: &[u8]) -> String {
        match self.label {
            Some(label) => one_line(&label(side, bytes)),
            None if bytes.len() == 1 => format!("1 byte \"{}\"", bytes.escape_ascii()),
            None => format!("{} bytes \"{}\"", bytes.len(), echo_core::error::escape(bytes, SHOWN)),
        }
    }
}

/// Settings of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Only for a ladder: what the log shows besides.
    pub(super) details: Option<Details>,
    pub(super) form: Form,
    /// Limit of virtual time, in milliseconds.
    pub(super) budget: Millis,
    /// Maximum number of bytes that a side has written and its peer has not read.
    pub(super) buffer: usize,
    /// Maximum number of I/O events of a side.
    pub(super) events: usize,
    /// Whether a program ends, with all its tasks, when its future returns.
    pub(super) exits: bool,
    /// How long after a crash a program starts again, in milliseconds.
    pub(super) restarts: Option<Millis>,
}

/// Runs `scenario`.
pub(super) fn run<C, S>(
    scenario: TrialScenario,
    programs: &Programs<C, S>,
    rule: Option<&PacketRule>,
    limits: Limits,
) -> TrialRun<C, S>
where
    C: Debug + 'static,
    S: Debug + 'static,
{
    let kernel = Shared::new(Kernel::new(scenario, rule.cloned(), limits));
    let (client_slot, server_slot) = (Slot::default(), Slot::default());
    let start = |side| match (programs, side) {
        (Programs::Stream(client, _), Role::Client) => {
            start(side, client, stream(&kernel, side), &kernel, &client_slot)
        }
        (Programs::Stream(_, server), Role::Server) => {
            start(side, server, stream(&kernel, side), &kernel, &server_slot)
        }
        (Programs::Network(client, _), Role::Client) => start(side, client, net(&kernel, side), &kernel, &client_slot),
        (Programs::Network(_, server), Role::Server) => start(side, server, net(&kernel, side), &kernel, &server_slot),
    };
    let mut simulation = Simulation {
        kernel: &kernel,
        #[cfg(feature = "tracing")]
        details: limits.details,
        start: &start,
        hosts: [None, None],
        restarts: [None, None],
    };
    let (over_at, error, tasks_left) = simulation.run(limits.budget);
    let (time_wait, leaking) = kernel.with(|kernel| (kernel.time_wait(), kernel.leaking()));
    let client = ending(&client_slot, &kernel, Role::Client, error.as_deref());
    let mut server = ending(&server_slot, &kernel, Role::Server, error.as_deref());
    let has_no_connection = kernel.with(|kernel| kernel.ends_held(Role::Server).next().is_none());
    if limits.form == Form::Network && has_no_connection && matches!(server, TrialEnding::NeverEnded) {
        server = TrialEnding::Serving;
    }
    let log = kernel.with(Kernel::take_log);
    // What is left ends now. That is no part of the run.
    Role::BOTH.into_iter().for_each(|side| simulation.end(side));
    TrialRun { scenario, client, server, log, over_at, time_wait, leaking, tasks_left }
}

fn stream(kernel: &Shared, side: Role) -> TrialStream {
    TrialStream::new(kernel.clone(), End { connection: 0, side })
}

fn net(kernel: &Shared, side: Role) -> TrialNet {
    TrialNet::new(kernel.clone(), side)
}

struct Simulation<'a> {
    kernel: &'a Shared,
    #[cfg(feature = "tracing")]
    details: Option<Details>,
    start: &'a dyn Fn(Role) -> std::io::Result<Host>,
    /// By [`Role`]. `None` after a crash.
    hosts: [Option<Host>; 2],
    /// When the program of a side starts again, by [`Role`].
    restarts: [Option<Millis>; 2],
}

impl Simulation<'_> {
    /// Runs steps until both sides have ended or `budget` is used up. Returns when that was, what broke the simulation,
    /// and the sides with tasks that do not end.
    fn run(&mut self, budget: Millis) -> (Option<Millis>, Option<String>, Vec<Role>) {
        let mut now = 0;
        let mut over_at = None;
        self.restarts = [Some(0), Some(0)];
        loop {
            if let Err(error) = self.step(now) {
                return (None, Some(error), Vec::new());
            }
            let (over, over_limit) = self.kernel.with(|kernel| (kernel.is_over(), kernel.is_over_event_limit()));
            let over = over && self.restarts == [None, None];
            if over {
                over_at = over_at.or(Some(now));
            }
            let is_last = over_limit || now >= budget || over_at.is_some_and(|over| now >= over + TASKS_END_WITHIN);
            if over || is_last {
                let left = self.sides_with_tasks();
                if is_last || left.is_empty() {
                    return (over_at, None, left);
                }
            }
            now += TICK;
        }
    }

    /// Delivers what is due, and runs both sides for a step.
    fn step(&mut self, now: Millis) -> Result<(), String> {
        self.kernel.with(|kernel| kernel.advance(now));
        self.start_programs(now)?;
        for side in Role::BOTH {
            if let Some(host) = &self.hosts[side as usize] {
                // A program can panic where no runtime catches it. The trial has to go on.
                let step = || catch_unwind(AssertUnwindSafe(|| host.step(Duration::from_millis(TICK))));
                self.observe(side, step).map_err(|panic| message(&*panic))?;
            }
        }
        for side in self.kernel.with(|kernel| std::mem::take(&mut kernel.clocks_to_jump)) {
            if let Some(host) = &self.hosts[side as usize] {
                let jump = || catch_unwind(AssertUnwindSafe(|| host.jump()));
                self.observe(side, jump).map_err(|panic| message(&*panic))?;
            }
        }
        for side in self.kernel.with(Kernel::take_hosts_to_crash) {
            self.end(side);
            self.restarts[side as usize] = self.kernel.with(|kernel| kernel.restart_of(side));
        }
        Ok(())
    }

    fn start_programs(&mut self, now: Millis) -> Result<(), String> {
        for side in Role::BOTH {
            if self.restarts[side as usize].is_some_and(|at| at <= now) {
                self.restarts[side as usize] = None;
                if now > 0 {
                    self.kernel.with(|kernel| kernel.start_again(side));
                }
                self.hosts[side as usize] = Some((self.start)(side).map_err(|error| error.to_string())?);
            }
        }
        Ok(())
    }

    /// Runs code of `side`, and logs panics of its tasks.
    fn observe<T>(&self, side: Role, code: impl FnOnce() -> T) -> T {
        let (result, panics) = panics::watch(|| run_as(self.kernel, side, || self.collect(code)));
        for panic in panics {
            self.kernel.with(|kernel| kernel.note(side, TrialEvent::TaskPanicked(panic)));
        }
        result
    }

    /// Runs code of a side, and logs what it sends to `tracing` if that is wanted.
    fn collect<T>(&self, code: impl FnOnce() -> T) -> T {
        #[cfg(feature = "tracing")]
        if let Some(level) = self.details.and_then(|details| details.tracing) {
            return super::traced::collect(level, code);
        }
        code()
    }

    /// Ends the program of `side` with all its tasks.
    fn end(&mut self, side: Role) {
        let host = self.hosts[side as usize].take();
        // A destructor that panics must not end the trial. The panic is in the log.
        let _ = self.observe(side, || catch_unwind(AssertUnwindSafe(|| drop(host))));
    }

    fn sides_with_tasks(&mut self) -> Vec<Role> {
        let has_tasks = |side: &Role| {
            let mut host = self.hosts[*side as usize].take();
            let has = self.observe(*side, || host.as_mut().is_some_and(Host::has_tasks));
            self.hosts[*side as usize] = host;
            has && self.kernel.with(|kernel| kernel.has_returned(*side))
        };
        Role::BOTH.into_iter().filter(has_tasks).collect()
    }
}

fn start<T: Debug + 'static, Given: 'static>(
    side: Role,
    program: &Program<T, Given>,
    given: Given,
    kernel: &Shared,
    result: &Slot<T>,
) -> std::io::Result<Host> {
    let (program, result, kernel) = (Rc::clone(program), Rc::clone(result), kernel.clone());
    Host::start(async move {
        let is_stopped = || kernel.with(|kernel| kernel.is_stopped(side));
        let outcome = run_program(program, given, is_stopped).await;
        kernel.with(|kernel| kernel.finish(side, ending_event(&outcome)));
        *result.borrow_mut() = Some(outcome);
    })
}

/// Runs a program until it returns or panics. Never returns if a fault or the limit stops the program.
pub(super) async fn run_program<T, Given: 'static>(
    program: Program<T, Given>,
    given: Given,
    is_stopped: impl Fn() -> bool,
) -> Result<T, String> {
    let mut future: Option<Pin<Box<dyn Future<Output = T>>>> = Some(Box::pin(async move { program(given).await }));
    poll_fn(|cx| {
        let polled = catch_unwind(AssertUnwindSafe(|| {
            let polled = match &mut future {
                Some(running) if !is_stopped() => running.as_mut().poll(cx),
                Some(_) | None => Poll::Pending,
            };
            if is_stopped() {
                future = None;
                return Poll::Pending;
            }
            polled
        }));
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(outcome)) => Poll::Ready(Ok(outcome)),
            Err(panic) => Poll::Ready(Err(panics::take_last().unwrap_or_else(|| message(&*panic)))),
        }
    })
    .await
}

pub(super) fn ending_event<T: Debug>(outcome: &Result<T, String>) -> TrialEvent {
    match outcome {
        Ok(outcome) => TrialEvent::Returned(format!("{outcome:?}")),
        Err(message) => TrialEvent::Panicked(message.clone()),
    }
}

fn ending<T>(slot: &Slot<T>, kernel: &Shared, side: Role, error: Option<&str>) -> TrialEnding<T> {
    match (slot.borrow_mut().take(), error) {
        (Some(Ok(outcome)), _) => TrialEnding::Returned(outcome),
        (Some(Err(message)), _) => TrialEnding::Panicked(message),
        (None, Some(message)) => TrialEnding::Panicked(message.to_owned()),
        (None, None) if kernel.with(|kernel| kernel.is_ended_by_fault(side)) => TrialEnding::Killed,
        (None, None) => TrialEnding::NeverEnded,
    }
}

/// The message of a panic.
pub(super) fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| one_line(text));
    text.or_else(|| panic.downcast_ref::<String>().map(|text| one_line(text)))
        .unwrap_or_else(|| "no message".to_owned())
}
