//! What this process was given by whoever started it: signals that are ignored, and whether standard output is open.
#![expect(unsafe_code, reason = "one call of the C library that only reads, and one function before main")]

use std::sync::atomic::{AtomicBool, Ordering};

static STDOUT_WAS_CLOSED: AtomicBool = AtomicBool::new(false);

/// The runtime of Rust opens `/dev/null` in the place of a standard stream that is closed, so this looks before.
#[ctor::ctor(unsafe)]
fn look_at_stdout() {
    STDOUT_WAS_CLOSED.store(rustix::io::fcntl_getfd(rustix::stdio::stdout()).is_err(), Ordering::Relaxed);
}

/// Whether the program was started without a standard output (`>&-`).
pub(crate) fn stdout_was_closed() -> bool {
    STDOUT_WAS_CLOSED.load(Ordering::Relaxed)
}

/// Whether the signal is ignored: `nohup` does that to SIGHUP, a shell without job control to SIGINT in the background.
pub(crate) fn is_ignored(signal: i32) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: without a new action the call writes the present one into `action`, or fails and leaves the zeros, which
    // are a valid value too.
    let action = unsafe {
        libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr());
        action.assume_init()
    };
    action.sa_sigaction == libc::SIG_IGN
}
