//! A descriptor kept back, so that when there are no more a client can still be told why it is refused.

use std::fs::File;
use std::io;

/// Open as long as it is not needed.
#[derive(Debug, Default)]
pub(crate) struct Spare(Option<File>);

impl Spare {
    /// Takes a descriptor, if there is one and none is kept.
    pub(crate) fn refill(&mut self) {
        if self.0.is_none() {
            self.0 = File::open("/dev/null").ok();
        }
    }

    /// Gives it back to the system; whether there was one.
    pub(crate) fn give(&mut self) -> bool {
        self.0.take().is_some()
    }
}

/// Whether an error says that the process or the system has no descriptors left.
#[cfg(unix)]
pub(crate) fn is_exhausted(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

#[cfg(not(unix))]
pub(crate) fn is_exhausted(_: &io::Error) -> bool {
    false
}
