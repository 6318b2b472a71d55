//! Runs both programs until they have ended: woken by each event that is logged.

use super::instrumented_stream::{SharedLog, lock};
use crate::record::event_log::Observer;
use crate::record::{Ending, ending};
use crate::support::Millis;
use echo_core::Role;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};

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
