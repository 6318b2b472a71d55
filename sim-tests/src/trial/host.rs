//! The computer of a side: a runtime of one thread, with a clock of its own that stands still between steps.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::task::LocalSet;
use tokio::time::sleep;

/// How far a clock jumps.
const CLOCK_JUMP: Duration = Duration::from_secs(3600);

/// A computer that runs one program. Dropping it ends the program with all its tasks.
#[derive(Debug)]
pub(super) struct Host {
    local: Option<LocalSet>,
    runtime: Runtime,
}

impl Host {
    /// Starts a computer. The program begins with the first step.
    pub(super) fn start(program: impl Future<Output = ()> + 'static) -> std::io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build()?;
        let local = LocalSet::new();
        local.spawn_local(program);
        Ok(Self { local: Some(local), runtime })
    }

    /// Lets `span` of its time pass.
    pub(super) fn step(&self, span: Duration) {
        if let Some(local) = &self.local {
            self.runtime.block_on(local.run_until(async { sleep(span).await }));
        }
    }

    /// Lets its clock jump.
    pub(super) fn jump(&self) {
        if let Some(local) = &self.local {
            self.runtime.block_on(local.run_until(tokio::time::advance(CLOCK_JUMP)));
        }
    }

    /// Returns whether a task is left. Tasks that are due run.
    pub(super) fn has_tasks(&mut self) -> bool {
        if self.runtime.metrics().num_alive_tasks() > 0 {
            return true;
        }
        let _inside = self.runtime.enter();
        // The set is ready if it has no task.
        let is_left = |local: &mut LocalSet| pin!(local).poll(&mut Context::from_waker(Waker::noop())) == Poll::Pending;
        self.local.as_mut().is_some_and(is_left)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // Destructors of tasks may use the runtime.
        let _inside = self.runtime.enter();
        self.local = None;
    }
}
