//! Runs both programs as local tasks until they have ended: woken by each event that is logged.

use super::Net;
use super::host_program::{HostProgram, Inbox, Slot};
use super::instrumented_stream::{SharedLog, lock};
use crate::record::event_log::Observer;
use crate::record::{Ending, ending};
use crate::scenario::Scenario;
use crate::support::Millis;
use echo_core::Role;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::{JoinHandle, spawn_local, yield_now};
use tokio::time::{Instant, sleep_until};

/// Starts both programs, the server first: it has to listen before the client connects. `scale` milliseconds of
/// tokio's time are one of the scenario. Returns the programs by [`Role`].
pub(in crate::backend) fn start_programs<N: Net>(
    scenario: &Scenario,
    scale: u32,
    log: &SharedLog,
    streams: &[Slot<N::Stream>; 2],
    [for_client, for_server]: [Inbox; 2],
    net: &N,
) -> [JoinHandle<io::Result<()>>; 2] {
    let start = |role: Role, inbox| {
        let stream = Arc::clone(&streams[role as usize]);
        let program = HostProgram::new(role, scenario, scale, Arc::clone(log), stream, net.clone());
        spawn_local(async move { program.play(inbox).await })
    };
    let server = start(Role::Server, for_server);
    [start(Role::Client, for_client), server]
}

/// The clock of an event log. It wakes the run when an event is logged.
#[derive(Clone, Debug)]
pub(in crate::backend) struct Watch {
    begun: Instant,
    /// How many milliseconds of tokio's time are one of the log.
    scale: u32,
    stirred: Arc<Notify>,
}

impl Observer for Watch {
    fn now(&self) -> Millis {
        Millis::try_from((self.begun.elapsed() / self.scale).as_millis()).unwrap_or(Millis::MAX)
    }

    fn noted(&self) {
        self.stirred.notify_one();
    }
}

impl Watch {
    /// Begins to watch `log`: its time is 0 now, and goes on `scale` times slower than tokio's.
    pub(in crate::backend) fn begin(log: &SharedLog, scale: u32) -> Self {
        let watch = Self { begun: Instant::now(), scale, stirred: Arc::new(Notify::new()) };
        lock(log).watch(Arc::new(watch.clone()));
        watch
    }

    /// Runs until both programs have ended. Returns when that was, or `None` after `budget`. `carry_out` carries out
    /// what is due, and returns whether anything was.
    pub(in crate::backend) async fn run(
        &self,
        log: &SharedLog,
        budget: Millis,
        mut carry_out: impl FnMut() -> bool,
    ) -> Option<Millis> {
        let end = self.begun + self.scale * Duration::from_millis(budget);
        loop {
            // The programs run first: they have to read what has arrived before they get a command.
            yield_now().await;
            if carry_out() {
                continue;
            }
            if is_over(log) {
                return Some(lock(log).now());
            }
            tokio::select! { biased;
                () = self.stirred.notified() => (),
                () = sleep_until(end) => return None,
            }
        }
    }
}

fn is_over(log: &SharedLog) -> bool {
    let log = lock(log);
    Role::BOTH.into_iter().all(|side| ending(log.entries(), side) != Ending::Open)
}
