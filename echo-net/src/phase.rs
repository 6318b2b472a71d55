//! The phases of a server: its connections learn of each.

use std::sync::atomic::{AtomicU8, Ordering};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// What a server does with its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Phase {
    Serving,
    /// Each client is asked to leave.
    Draining,
    Aborting,
}

/// The phase of a server. It only advances.
#[derive(Debug, Default)]
pub(crate) struct CurrentPhase {
    phase: AtomicU8,
    draining: Notify,
    aborting: Notify,
}

impl CurrentPhase {
    pub(crate) fn set(&self, phase: Phase) {
        self.phase.fetch_max(phase as u8, Ordering::Release);
        self.draining.notify_waiters();
        if phase == Phase::Aborting {
            self.aborting.notify_waiters();
        }
    }

    pub(crate) fn get(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Serving,
            1 => Phase::Draining,
            _ => Phase::Aborting,
        }
    }

    /// Waits for the phase after `phase`. A change after this call counts, also if it is polled later.
    pub(crate) fn after(&self, phase: Phase) -> Notified<'_> {
        match phase {
            Phase::Serving => self.draining.notified(),
            Phase::Draining | Phase::Aborting => self.aborting.notified(),
        }
    }
}
