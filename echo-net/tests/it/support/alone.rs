//! Runs a test in its own process, for state that a process has only once, such as descriptors and the time zone.

use super::program::Kid;
use std::process::{Command, Stdio};

const MARK: &str = "ECHO_NET_TEST_ALONE";

/// Runs the calling test, named `name`, in another process with `environment` added. Returns `true` there. In this
/// process it waits until the other has passed, and returns `false`.
#[must_use]
#[track_caller]
pub(crate) fn alone(name: &str, environment: &[(&str, &str)]) -> bool {
    let mark = format!("{name} {environment:?}");
    if std::env::var_os(MARK).is_some_and(|set| set == mark.as_str()) {
        return true;
    }
    let mut command = this_binary(name);
    command.envs(environment.iter().copied()).env(MARK, mark).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut kid = Kid::spawn(&mut command);
    kid.wait();
    let (out, err) = (kid.stdout(), kid.stderr());
    assert!(out.contains("1 passed"), "{name} {environment:?} in its own process:\n{out}\n{err}");
    false
}

/// A process of this test binary that runs only one test.
pub(crate) fn this_binary(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a test has a binary"));
    command.args([test, "--exact", "--nocapture", "--include-ignored", "--test-threads=1"]);
    command
}
