//! Shared code of the tests: bounded waits, programs that are killed when a test fails, and a client of raw frames.

pub(crate) mod alone;
pub(crate) mod bystander;
mod inherited;
pub(crate) mod person;
pub(crate) mod program;
pub(crate) mod raw;
pub(crate) mod server;
pub(crate) mod sockets;
pub(crate) mod time;
pub(crate) mod tls;

use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// The longest wait for something that happens soon. It asserts nothing about speed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `ready` returns `true`.
#[track_caller]
pub(crate) fn eventually(what: &str, ready: impl FnMut() -> bool) {
    eventually_within(PATIENCE, what, ready);
}

/// Waits at most `patience` until `ready` returns `true`.
#[track_caller]
pub(crate) fn eventually_within(patience: Duration, what: &str, mut ready: impl FnMut() -> bool) {
    let start = Instant::now();
    while !ready() {
        assert!(start.elapsed() < patience, "not within {patience:?}: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Runs `work` in a thread, and returns its result.
#[track_caller]
pub(crate) fn bounded<T: Send + 'static>(what: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    let thread = std::thread::spawn(move || sender.send(work()));
    match receiver.recv_timeout(PATIENCE) {
        Ok(value) => value,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("not within {PATIENCE:?}: {what}"),
        Err(mpsc::RecvTimeoutError::Disconnected) => match thread.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(_) => panic!("{what} gave nothing"),
        },
    }
}

/// Waits for a future, with a limit.
#[track_caller]
pub(crate) fn within<T>(future: impl Future<Output = T>) -> impl Future<Output = T> {
    let caller = std::panic::Location::caller();
    async move {
        match tokio::time::timeout(PATIENCE, future).await {
            Ok(value) => value,
            Err(_) => panic!("not within {PATIENCE:?}, asked for at {caller}"),
        }
    }
}

/// Whether a program is installed. If not, the test is skipped with a message; in CI it fails.
#[must_use]
pub(crate) fn need(program: &str) -> bool {
    let found = Command::new("sh").args(["-c", "command -v \"$0\" >/dev/null", program]).status();
    need_that(found.is_ok_and(|status| status.success()), program)
}

/// Like [`need`], for any other condition.
#[must_use]
pub(crate) fn need_that(here: bool, what: &str) -> bool {
    if !here {
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        assert!(std::env::var_os("CI").is_none(), "{test} needs {what}, and CI has to have it");
        // Written directly, because the harness drops the output of a test that passes.
        let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("SKIPPED: {test} needs {what}\n").as_bytes());
    }
    here
}
