//! What this process inherited: ignored signals, and whether standard output is open.
#![expect(unsafe_code, reason = "one read-only call of the C library, and one function that runs before main")]

use std::sync::atomic::{AtomicBool, Ordering};

static STDOUT_WAS_CLOSED: AtomicBool = AtomicBool::new(false);

/// Rust's runtime opens `/dev/null` in place of a closed standard stream, so check before it starts.
#[ctor::ctor(unsafe)]
fn look_at_stdout() {
    STDOUT_WAS_CLOSED.store(rustix::io::fcntl_getfd(rustix::stdio::stdout()).is_err(), Ordering::Relaxed);
}

/// Returns whether the program was started without standard output (`>&-`).
pub(crate) fn stdout_was_closed() -> bool {
    STDOUT_WAS_CLOSED.load(Ordering::Relaxed)
}

/// Returns whether the signal is ignored: `nohup` ignores SIGHUP, and a shell without job control ignores SIGINT in the
/// background.
pub(crate) fn is_ignored(signal: i32) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: without a new action the call only writes the present one into `action`, or fails and leaves the zeros,
    // which are also valid.
    let action = unsafe {
        libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr());
        action.assume_init()
    };
    action.sa_sigaction == libc::SIG_IGN
}
