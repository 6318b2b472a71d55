//! One run: two computers, each with its own runtime and virtual clock, and the kernel between them.

use super::TICK;
use super::host::Host;
use super::kernel::Kernel;
use super::note::run_as;
use super::panics::{self, one_line};
use super::run::{TrialEnding, TrialEvent, TrialRun};
use super::scenario::TrialScenario;
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
pub(super) type Program<T> = Rc<dyn Fn(TrialStream) -> Pin<Box<dyn Future<Output = T>>>>;

/// The result of a future, or the message of its panic; `None` until it ends.
type Slot<T> = Rc<RefCell<Option<Result<T, String>>>>;

/// How long tasks may go on when nothing else is left to do, in milliseconds.
const TASKS_END_WITHIN: Millis = 1000;

/// Settings of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Limit of virtual time, in milliseconds.
    pub(super) budget: Millis,
    /// Maximum number of bytes that a side has written and its peer has not read.
    pub(super) buffer: usize,
    /// Maximum number of I/O events of a side.
    pub(super) events: usize,
    /// Whether a program ends, with all its tasks, when its future returns.
    pub(super) exits: bool,
}

/// Runs `scenario`.
pub(super) fn run<C, S>(
    scenario: TrialScenario,
    client: &Program<C>,
    server: &Program<S>,
    limits: Limits,
) -> TrialRun<C, S>
where
    C: Debug + 'static,
    S: Debug + 'static,
{
    let kernel = Shared::new(Kernel::new(scenario, limits));
    let (client_slot, server_slot) = (Slot::default(), Slot::default());
    let started = start(Role::Client, client, &kernel, &client_slot)
        .and_then(|client| Ok([client, start(Role::Server, server, &kernel, &server_slot)?]));
    let (hosts, error) = match started {
        Ok(hosts) => (hosts.map(Some), None),
        Err(error) => ([None, None], Some(error.to_string())),
    };
    let mut simulation = Simulation { kernel: &kernel, hosts };
    let (over_at, error, tasks_left) = match error {
        None => simulation.run(limits.budget),
        Some(_) => (None, error, Vec::new()),
    };
    let (time_wait, leaking) = kernel.with(|kernel| (kernel.time_wait(), kernel.leaking()));
    let client = ending(&client_slot, &kernel, Role::Client, error.as_deref());
    let server = ending(&server_slot, &kernel, Role::Server, error.as_deref());
    let log = kernel.with(Kernel::take_log);
    // What is left ends now. That is no part of the run.
    Role::BOTH.into_iter().for_each(|side| simulation.end(side));
    TrialRun { scenario, client, server, log, over_at, time_wait, leaking, tasks_left }
}

struct Simulation<'a> {
    kernel: &'a Shared,
    /// By [`Role`]. `None` after a crash.
    hosts: [Option<Host>; 2],
}

impl Simulation<'_> {
    /// Runs steps until both sides have ended or `budget` is used up. Returns when that was, what broke the simulation,
    /// and the sides with tasks that do not end.
    fn run(&mut self, budget: Millis) -> (Option<Millis>, Option<String>, Vec<Role>) {
        let mut now = 0;
        let mut over_at = None;
        loop {
            if let Err(error) = self.step(now) {
                return (None, Some(error), Vec::new());
            }
            let (over, over_limit) = self.kernel.with(|kernel| (kernel.is_over(), kernel.is_over_event_limit()));
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
        for side in Role::BOTH {
            if let Some(host) = &self.hosts[side as usize] {
                // A program can panic where no runtime catches it. The trial has to go on.
                let step = || catch_unwind(AssertUnwindSafe(|| host.step(Duration::from_millis(TICK))));
                self.observe(side, step).map_err(|panic| message(&*panic))?;
            }
        }
        self.kernel.with(Kernel::take_hosts_to_crash).into_iter().for_each(|side| self.end(side));
        Ok(())
    }

    /// Runs code of `side`, and logs panics of its tasks.
    fn observe<T>(&self, side: Role, code: impl FnOnce() -> T) -> T {
        let (result, panics) = panics::watch(|| run_as(self.kernel, side, code));
        for panic in panics {
            self.kernel.with(|kernel| kernel.note(side, TrialEvent::TaskPanicked(panic)));
        }
        result
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

fn start<T: Debug + 'static>(
    side: Role,
    program: &Program<T>,
    kernel: &Shared,
    result: &Slot<T>,
) -> std::io::Result<Host> {
    let stream = TrialStream::new(kernel.clone(), side);
    let (program, result, kernel) = (Rc::clone(program), Rc::clone(result), kernel.clone());
    Host::start(async move {
        let is_stopped = || kernel.with(|kernel| kernel.is_stopped(side));
        let outcome = run_program(program, stream, is_stopped).await;
        kernel.with(|kernel| kernel.finish(side, ending_event(&outcome)));
        *result.borrow_mut() = Some(outcome);
    })
}

/// Runs a program until it returns or panics. Never returns if a fault or the limit stops the program.
pub(super) async fn run_program<T>(
    program: Program<T>,
    stream: TrialStream,
    is_stopped: impl Fn() -> bool,
) -> Result<T, String> {
    let mut future: Option<Pin<Box<dyn Future<Output = T>>>> = Some(Box::pin(async move { program(stream).await }));
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
