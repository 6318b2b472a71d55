//! Handles Ctrl-C: the first prints what was found so far, the second ends at once.

use crate::output::Trouble;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether a signal has arrived.
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    pub(crate) fn listen() -> Result<Self, Trouble> {
        let wanted = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // The order matters: the first signal must find the flag unset.
            flag::register_conditional_default(signal, wanted.clone())
                .and_then(|_| flag::register(signal, wanted.clone()))
                .map_err(|error| Trouble::Failed(format!("cannot wait for signals: {error}")))?;
        }
        Ok(Self(wanted))
    }

    pub(crate) fn is_wanted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
