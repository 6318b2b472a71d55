//! A slow link in its own network namespace, so that nothing else on the machine becomes slow.

use crate::support::need_that;
use crate::support::program::{ECHO_NET, Kid, piped};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const UNSHARE: [&str; 4] = ["-Urn", "--fork", "--pid", "--mount-proc"];

/// Whether a namespace with a slow link can be created. If not, the test is skipped, and in CI it fails.
fn can_be_slow() -> bool {
    let slow = "ip link set lo up && tc qdisc add dev lo root tbf rate 1mbit burst 9kb latency 200ms";
    let tried = Command::new("unshare").args(UNSHARE).args(["sh", "-c", slow]).output();
    need_that(tried.is_ok_and(|output| output.status.success()), "a network namespace with tc (unshare, iproute2)")
}

/// With the default deadlines, although the client leaves right after its last request.
#[test]
fn much_over_a_slow_link_is_all_answered_and_ends_clean() {
    const MESSAGES: usize = 40;
    if !can_be_slow() {
        return;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("slow_link");
    fs::create_dir_all(&folder).expect("a folder");
    let [input, output] = ["input", "output"].map(|name| folder.join(name));
    let message = |number: usize| format!("{number:06}").repeat(16_667);
    let said: Vec<String> = (0..MESSAGES).map(message).collect();
    fs::write(&input, said.join("\n") + "\n").expect("a file");

    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/slow_link.sh");
    let mut command = Command::new("unshare");
    command.args(UNSHARE).arg("timeout").arg("240").arg("bash").arg(script).arg(ECHO_NET).args([&input, &output]);
    let mut link = Kid::spawn(piped(&mut command));
    let status = link.wait_for(Duration::from_secs(250));
    let read =
        |what: &str| fs::read_to_string(PathBuf::from(format!("{}{what}", output.display()))).unwrap_or_default();
    let (answers, report) = (read(""), read(".report"));
    assert_eq!(status.code(), Some(0), "{}\n{}\n{report}\n{}", link.stderr(), read(".errors"), read(".log"));
    let answered: Vec<&str> = answers.lines().filter_map(|line| line.split_once("] ").map(|(_, text)| text)).collect();
    assert_eq!(answered.len(), MESSAGES, "{report}");
    assert!(answered == said, "the answers are other messages");
    assert!(report.contains("served 1 connections (1 clean)"), "{report}");
}
