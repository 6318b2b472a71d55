//! Errors as the system returns them.

use std::io::{self, ErrorKind};

/// The error that a call of the system returns, with its number and its words: programs look at those, too.
#[cfg(unix)]
pub(super) fn system_error(kind: ErrorKind) -> io::Error {
    let number = match kind {
        ErrorKind::AddrInUse => libc::EADDRINUSE,
        ErrorKind::BrokenPipe => libc::EPIPE,
        ErrorKind::ConnectionRefused => libc::ECONNREFUSED,
        ErrorKind::ConnectionReset => libc::ECONNRESET,
        ErrorKind::TimedOut => libc::ETIMEDOUT,
        _ => return kind.into(),
    };
    io::Error::from_raw_os_error(number)
}

/// The error by its kind alone: here, systems have other numbers.
#[cfg(not(unix))]
pub(super) fn system_error(kind: ErrorKind) -> io::Error {
    kind.into()
}
