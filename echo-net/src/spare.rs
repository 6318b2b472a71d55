//! A spare file descriptor: when none are left, a client is accepted with it and told why it is refused.

use std::fs::File;
use std::io;

/// A file that is open until its descriptor is needed.
#[derive(Debug, Default)]
pub(crate) struct Spare(Option<File>);

impl Spare {
    /// Opens a descriptor, if none is held and the system has one.
    pub(crate) fn refill(&mut self) {
        if self.0.is_none() {
            self.0 = File::open("/dev/null").ok();
        }
    }

    /// Closes the descriptor. Returns whether one was held.
    pub(crate) fn give(&mut self) -> bool {
        self.0.take().is_some()
    }
}

/// Returns whether an error means that the process or the system has no descriptors left.
#[cfg(unix)]
pub(crate) fn is_exhausted(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

#[cfg(not(unix))]
pub(crate) fn is_exhausted(_: &io::Error) -> bool {
    false
}
