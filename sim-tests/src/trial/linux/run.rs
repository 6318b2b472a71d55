//! One run on Linux.

use super::relay::relay;
use crate::backend::{LinuxNetwork, PairNetwork};
use crate::tcp::{TcpEvent, TcpState};
use crate::trial::linux_sides::{Sides, Wanted};
use crate::trial::run::{TrialEnding, TrialRun};
use crate::trial::scenario::TrialScenario;
use crate::trial::simulation::{Limits, Program, Programs, ending_event, run_program};
use crate::trial::stream::TrialStream;
use echo_core::Role;
use std::cell::RefCell;
use std::fmt::Debug;
use std::io;
use std::rc::Rc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::{AbortHandle, spawn_local};
use tokio::time::{Instant, sleep};

/// The pause between two looks at the sides.
const PAUSE: Duration = Duration::from_millis(1);
/// How often a run is tried.
const TRIES: usize = 5;
/// Time for the last packets.
const SETTLING: Duration = Duration::from_millis(500);

type Slot<T> = Rc<RefCell<Option<Result<T, String>>>>;

/// Runs `scenario` in real time. A run in which this process stood still is repeated, up to
/// [`TRIES`] times: a program that computes for long does so in every run, and its last run counts.
pub(super) async fn run<C: Debug + 'static, S: Debug + 'static>(
    network: &LinuxNetwork,
    scenario: TrialScenario,
    programs: &Programs<C, S>,
    limits: Limits,
) -> io::Result<TrialRun<C, S>> {
    let mut tries = 1;
    loop {
        let (run, is_late) = run_once(network, scenario, programs, limits).await?;
        if !is_late || tries == TRIES {
            return Ok(run);
        }
        tries += 1;
    }
}

async fn run_once<C: Debug + 'static, S: Debug + 'static>(
    network: &LinuxNetwork,
    scenario: TrialScenario,
    programs: &Programs<C, S>,
    limits: Limits,
) -> io::Result<(TrialRun<C, S>, bool)> {
    let Programs::Stream(client, server) = programs else {
        return Err(io::Error::other("only a trial of one stream runs on Linux"));
    };
    let (streams, wires, mut tasks) = connect(network, scenario).await?;
    let sides = Sides::new(scenario, streams, limits.events);
    let (client_slot, server_slot) = (Slot::<C>::default(), Slot::<S>::default());
    tasks.push(start(&sides, Role::Client, client, &client_slot));
    tasks.push(start(&sides, Role::Server, server, &server_slot));
    let end = Instant::now() + Duration::from_millis(limits.budget);
    while !sides.lock().is_over() && !sides.lock().is_over_event_limit() && Instant::now() < end {
        sides.lock().close_unread();
        let wanted = std::mem::take(&mut sides.lock().wanted);
        for one in wanted {
            change(one, &wires, &sides);
        }
        sleep(PAUSE).await;
    }
    let is_over = sides.lock().is_over();
    for wire in &wires {
        wire.settle(SETTLING).await;
    }
    tasks.iter().for_each(AbortHandle::abort);
    let is_late = wires.iter().any(PairNetwork::is_late);
    if let Some(error) = wires.iter().find_map(PairNetwork::failure) {
        return Err(error);
    }
    let (log, now) = sides.lock().take_log();
    let run = TrialRun {
        scenario,
        client: ending(&client_slot, &sides, Role::Client),
        server: ending(&server_slot, &sides, Role::Server),
        log,
        over_at: is_over.then_some(now),
        time_wait: time_wait(wires),
        leaking: sides.lock().leaking(),
        // Both sides share a runtime there.
        tasks_left: Vec::new(),
    };
    Ok((run, is_late))
}

/// Does to the network what a fault wants.
fn change(wanted: Wanted, wires: &[PairNetwork], sides: &Sides) {
    match wanted {
        Wanted::Cut(span) => wires.iter().for_each(|wire| wire.cut(span)),
        Wanted::PowerDown(side) => {
            // With a relay, each side has a connection of its own.
            let own = if side == Role::Client { wires.first() } else { wires.last() };
            own.into_iter().for_each(|wire| wire.set_dark(side, true));
            sides.lock().forget(side);
        }
    }
}

/// Returns the client's and the server's socket, the networks between them, and the task of a relay.
async fn connect(
    network: &LinuxNetwork,
    scenario: TrialScenario,
) -> io::Result<([TcpStream; 2], Vec<PairNetwork>, Vec<AbortHandle>)> {
    let path = scenario.network.path();
    let (client, near, wire) = network.pair(path.latency, path.batch, 0).await?;
    let Some(kind) = path.relay else { return Ok(([client, near], vec![wire], Vec::new())) };
    let (far, server, second) = network.pair(path.latency, path.batch, 0).await?;
    let task = spawn_local(relay(kind, near, far)).abort_handle();
    Ok(([client, server], vec![wire, second], vec![task]))
}

fn start<T: Debug + 'static>(
    sides: &Sides,
    side: Role,
    program: &Program<T, TrialStream>,
    slot: &Slot<T>,
) -> AbortHandle {
    let (sides, program, slot) = (sides.clone(), Rc::clone(program), Rc::clone(slot));
    let run = async move {
        let stream = TrialStream::on_linux(sides.clone(), side);
        let outcome = run_program(program, stream, || sides.lock().is_stopped(side)).await;
        sides.lock().finish(side, ending_event(&outcome));
        *slot.borrow_mut() = Some(outcome);
    };
    spawn_local(run).abort_handle()
}

fn ending<T>(slot: &Slot<T>, sides: &Sides, side: Role) -> TrialEnding<T> {
    match slot.borrow_mut().take() {
        Some(Ok(outcome)) => TrialEnding::Returned(outcome),
        Some(Err(message)) => TrialEnding::Panicked(message),
        None if sides.lock().is_ended_by_fault(side) => TrialEnding::Killed,
        None => TrialEnding::NeverEnded,
    }
}

/// Returns the sides whose sockets were in TIME-WAIT. With a relay, each side has a connection of its own.
fn time_wait(wires: Vec<PairNetwork>) -> Vec<Role> {
    let is_relayed = wires.len() > 1;
    let of = |(index, wire): (usize, PairNetwork)| {
        let sides = wire.into_events().into_iter().filter_map(|moment| match moment.event {
            TcpEvent::Changed { side, to: TcpState::TimeWait, .. } => Some(side),
            TcpEvent::Changed { .. } | TcpEvent::Sent { .. } | TcpEvent::Arrived { .. } => None,
        });
        let own = Role::BOTH[index];
        sides.filter(move |side| !is_relayed || *side == own).collect::<Vec<_>>()
    };
    let mut all: Vec<Role> = wires.into_iter().enumerate().flat_map(of).collect();
    all.sort_unstable();
    all.dedup();
    all
}
