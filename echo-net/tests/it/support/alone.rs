//! Running a test in a process of its own: for what a process has only once, such as descriptors and a time zone.

use super::program::Kid;
use std::process::{Command, Stdio};

const MARK: &str = "ECHO_NET_TEST_ALONE";

/// Runs the calling test, which is called `name`, in a process of its own with `environment` added. `true` there;
/// here it waits for it to pass, and gives `false`.
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

/// A process of this test binary that runs one test alone.
pub(crate) fn this_binary(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a test has a binary"));
    command.args([test, "--exact", "--nocapture", "--include-ignored", "--test-threads=1"]);
    command
}
