//! What a program tells the record of its run.

use super::panics::one_line;
use super::run::TrialEvent;
use super::stream::{Shared, Socket};
use echo_core::Role;
use std::cell::RefCell;

thread_local! {
    /// The run and the side whose code runs on this thread.
    static CURRENT: RefCell<Option<(Shared, Role)>> = const { RefCell::new(None) };
}

/// Adds a line to the record of the run: what a program has done so far, for a check that reads
/// [`TrialRun::notes`](super::TrialRun::notes) and for the ladder. A side that a fault ends returns nothing, and its notes
/// stay.
///
/// It is no I/O event. Outside of a simulated run, and on Linux, it does nothing: [`TrialNotes`] works there, too.
pub fn note(text: impl Into<String>) {
    add(TrialEvent::Noted, &text.into());
}

/// Adds a line to the log of the side whose code runs on this thread.
pub(super) fn add(what: impl FnOnce(String) -> TrialEvent, text: &str) {
    CURRENT.with_borrow(|current| {
        if let Some((kernel, side)) = current {
            kernel.with(|kernel| kernel.note(*side, what(one_line(text))));
        }
    });
}

/// Whether the future that runs on this thread is to be cancelled. Asks once.
pub(super) fn is_cancelled() -> bool {
    CURRENT.with_borrow(|current| {
        current.as_ref().is_some_and(|(kernel, side)| {
            kernel.with(|kernel| {
                let is_cancelled = std::mem::take(&mut kernel.side_mut(*side).next_is_cancelled);
                if is_cancelled {
                    kernel.event(*side, TrialEvent::Cancelled);
                }
                is_cancelled
            })
        })
    })
}

/// Runs the code of `side`.
pub(super) fn run_as<T>(kernel: &Shared, side: Role, code: impl FnOnce() -> T) -> T {
    let before = CURRENT.replace(Some((kernel.clone(), side)));
    let result = code();
    CURRENT.set(before);
    result
}

/// Where a side notes what it has done, also on Linux. Clones note at the same place.
#[derive(Clone, Debug)]
pub struct TrialNotes {
    pub(super) socket: Socket,
    pub(super) side: Role,
}

impl TrialNotes {
    /// Adds a line to the record of the run, as [`note`] does.
    pub fn note(&self, text: impl Into<String>) {
        let what = TrialEvent::Noted(one_line(&text.into()));
        match &self.socket {
            Socket::Simulated(kernel) => kernel.with(|kernel| kernel.note(self.side, what)),
            #[cfg(all(feature = "linux", target_os = "linux"))]
            Socket::Linux(sides) => sides.lock().note(self.side, what),
        }
    }
}
