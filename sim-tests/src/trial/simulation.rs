//! One run: two hosts of turmoil, each with its own runtime and virtual clock, and the kernel between them.

use super::TICK;
use super::kernel::Kernel;
use super::run::{TrialEnding, TrialEvent, TrialRun};
use super::scenario::TrialScenario;
use super::stream::{Shared, TrialStream};
use crate::scenario::defaults;
use crate::support::Millis;
use echo_core::Role;
use std::any::Any;
use std::cell::RefCell;
use std::fmt::Debug;
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, UNIX_EPOCH};
use turmoil::Sim;

/// The user's closure for a side, with its future in a box.
pub(super) type Program<T> = Rc<dyn Fn(TrialStream) -> Pin<Box<dyn Future<Output = T>>>>;

/// The result of a future, or the message of its panic; `None` until it ends.
type Slot<T> = Rc<RefCell<Option<Result<T, String>>>>;

/// Runs `scenario` for at most `budget` of virtual time.
pub(super) fn run<C, S>(
    scenario: TrialScenario,
    client: &Program<C>,
    server: &Program<S>,
    budget: Millis,
    buffer: usize,
) -> TrialRun<C, S>
where
    C: Debug + 'static,
    S: Debug + 'static,
{
    let kernel = Shared::new(Kernel::new(scenario, buffer));
    let mut sim = simulation(budget);
    let client = start(&mut sim, Role::Client, client, &kernel);
    let server = start(&mut sim, Role::Server, server, &kernel);
    let (over_at, error) = run_steps(&mut sim, &kernel, budget);
    let (time_wait, leaking) = kernel.with(|kernel| (kernel.time_wait(), kernel.leaking()));
    let client = ending(&client, &kernel, Role::Client, error.as_deref());
    let server = ending(&server, &kernel, Role::Server, error.as_deref());
    let log = kernel.with(Kernel::take_log);
    TrialRun { scenario, client, server, log, over_at, time_wait, leaking }
}

fn simulation(budget: Millis) -> Sim<'static> {
    let mut builder = turmoil::Builder::new();
    builder.rng_seed(1).tick_duration(Duration::from_millis(TICK));
    builder.epoch(UNIX_EPOCH + Duration::from_nanos(defaults::EPOCH.0.unsigned_abs()));
    builder.simulation_duration(Duration::from_millis(budget.saturating_add(10 * TICK)));
    builder.build()
}

/// Runs steps until both sides have ended or `budget` is used up. Returns when that was, and the error of turmoil.
fn run_steps(sim: &mut Sim<'static>, kernel: &Shared, budget: Millis) -> (Option<Millis>, Option<String>) {
    let mut now = 0;
    loop {
        kernel.with(|kernel| kernel.advance(now));
        // A program can panic where no runtime catches it, for example when it is dropped. The trial has to go on.
        let step = catch_unwind(AssertUnwindSafe(|| {
            let result = sim.step().map_err(|error| error.to_string());
            for side in kernel.with(Kernel::take_hosts_to_crash) {
                sim.crash(side.name());
            }
            result
        }));
        match step.map_err(|panic| message(&*panic)) {
            Ok(Ok(_)) => (),
            Ok(Err(error)) | Err(error) => return (None, Some(error)),
        }
        let (over, over_limit) = kernel.with(|kernel| (kernel.is_over(), kernel.is_over_event_limit()));
        if over {
            return (Some(now), None);
        }
        if over_limit || now >= budget {
            return (None, None);
        }
        now += TICK;
    }
}

fn start<T: Debug + 'static>(sim: &mut Sim<'static>, side: Role, program: &Program<T>, kernel: &Shared) -> Slot<T> {
    let slot = Slot::default();
    let parts = RefCell::new(Some((Rc::clone(program), TrialStream::new(kernel.clone(), side))));
    let (result, kernel) = (Rc::clone(&slot), kernel.clone());
    // turmoil can start a host again; these hosts start only once.
    sim.host(side.name(), move || {
        let (parts, result, kernel) = (parts.borrow_mut().take(), Rc::clone(&result), kernel.clone());
        async move {
            if let Some((program, stream)) = parts {
                let is_stopped = || kernel.with(|kernel| kernel.is_stopped(side));
                let outcome = run_program(program, stream, is_stopped).await;
                kernel.with(|kernel| kernel.finish(side, ending_event(&outcome)));
                *result.borrow_mut() = Some(outcome);
            }
            // The software must not return: then turmoil's host answers nothing more, not even to its tasks.
            pending().await
        }
    });
    slot
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
            Err(panic) => Poll::Ready(Err(message(&*panic))),
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
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}
