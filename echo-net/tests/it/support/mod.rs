//! What the tests share: bounded waits, programs that are killed when a test fails, and a client of raw frames.

pub(crate) mod alone;
pub(crate) mod bystander;
mod inherited;
pub(crate) mod person;
pub(crate) mod program;
pub(crate) mod raw;
pub(crate) mod server;
pub(crate) mod sockets;
pub(crate) mod time;

use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// The longest wait for something that is to happen soon; nothing is asserted about speed by it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `ready` says so.
#[track_caller]
pub(crate) fn eventually(what: &str, ready: impl FnMut() -> bool) {
    eventually_within(PATIENCE, what, ready);
}

/// Waits for something that takes its time.
#[track_caller]
pub(crate) fn eventually_within(patience: Duration, what: &str, mut ready: impl FnMut() -> bool) {
    let start = Instant::now();
    while !ready() {
        assert!(start.elapsed() < patience, "not within {patience:?}: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Runs `work` in a thread and waits for what it gives.
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

/// Waits for a future.
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

/// Whether a program is here. If it is not, a person is told and the test passes; in CI the test fails.
#[must_use]
pub(crate) fn need(program: &str) -> bool {
    let found = Command::new("sh").args(["-c", "command -v \"$0\" >/dev/null", program]).status();
    need_that(found.is_ok_and(|status| status.success()), program)
}

/// Like [`need`], for anything that is `here` or not.
#[must_use]
pub(crate) fn need_that(here: bool, what: &str) -> bool {
    if !here {
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        assert!(std::env::var_os("CI").is_none(), "{test} needs {what}, and CI has to have it");
        // Not through the harness, which would swallow it for a test that passes.
        let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("SKIPPED: {test} needs {what}\n").as_bytes());
    }
    here
}
