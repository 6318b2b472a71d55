//! The Linux kernel: the catalogue's sequences in a network namespace of their own, and nothing outside it.

use sim_tests::catalogue::{self, Sequence};
use sim_tests::linux::{isolated_command, why_not};
use sim_tests::{Backend, Record, Scenario, run_on_linux};
use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Each sequence runs so many times.
const TRIES: usize = 5;

/// Whether this machine allows namespaces, and has the programs for their filters. If not, a person is told and the
/// test passes; in CI it fails.
fn possible() -> bool {
    let missing = ["ip", "nft", "tc"].into_iter().find(|program| {
        let found = Command::new("sh").args(["-c", "command -v \"$0\" > /dev/null", program]).status();
        !found.is_ok_and(|status| status.success())
    });
    let why = why_not().or(missing.map(|program| format!("{program} is missing")));
    let Some(why) = why else { return true };
    assert!(std::env::var_os("CI").is_none(), "CI has to allow network namespaces: {why}");
    let _ = std::io::stderr().write_all(format!("SKIPPED: no network namespace: {why}\n").as_bytes());
    false
}

fn worker() -> Command {
    let mut worker = isolated_command(env!("CARGO_BIN_EXE_echo-sim")).expect("/proc is there");
    worker.arg("linux-worker");
    worker
}

fn run(jobs: &[Scenario]) -> Vec<Record> {
    run_on_linux(worker(), jobs, || ()).unwrap_or_else(|error| panic!("{error}"))
}

/// The sequences in which one side has one step, or none has, on every network that a kernel can have.
fn sequences() -> Vec<&'static Sequence> {
    catalogue::all()
        .iter()
        .filter(|sequence| sequence.scenario.client.steps.len() + sequence.scenario.server.steps.len() <= 1)
        .filter(|sequence| Backend::Linux.expresses(&sequence.scenario).is_ok())
        .collect()
}

#[test]
fn linux_ends_as_the_oracle_allows() {
    if !possible() {
        return;
    }
    let sequences = sequences();
    assert!(sequences.len() >= 150, "{}", sequences.len());
    let jobs: Vec<Scenario> =
        sequences.iter().flat_map(|sequence| std::iter::repeat_n(sequence.scenario.clone(), TRIES)).collect();
    let records = run(&jobs);
    assert_eq!(records.len(), TRIES * sequences.len());
    let mut problems: BTreeMap<String, usize> = BTreeMap::new();
    for (sequence, records) in sequences.iter().zip(records.chunks(TRIES)) {
        for problem in records.iter().flat_map(|record| sequence.judge(record)) {
            *problems.entry(format!("{}: {problem}", sequence.id)).or_default() += 1;
        }
    }
    let shown: Vec<String> = problems.iter().map(|(what, count)| format!("{count} of {TRIES} {what}")).collect();
    assert!(problems.is_empty(), "of {} sequences:\n{}", sequences.len(), shown.join("\n"));
}

// ---- nothing outside the namespace ----

/// What a filter, a queue or a setting would change on this machine.
fn machine() -> Vec<String> {
    let mut state: Vec<String> = [
        &["tc", "qdisc", "show"][..],
        &["nft", "list", "ruleset"],
        &["ip", "-brief", "link"],
        &["sysctl", "-a", "--pattern", "^net\\.ipv4\\.tcp_(fin_timeout|orphan_retries|retries2)"],
    ]
    .into_iter()
    .map(|command| {
        let output = Command::new(command[0]).args(&command[1..]).output();
        output.map_or_else(|error| error.to_string(), |output| String::from_utf8_lossy(&output.stdout).into_owned())
    })
    .collect();
    state.push(std::fs::read_to_string("/proc/sys/net/ipv4/tcp_fin_timeout").expect("/proc is there"));
    state
}

fn refusal(output: &Output) -> String {
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), &b""[..]));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Whatever it is told, and whoever runs it.
#[test]
fn a_worker_outside_a_namespace_changes_nothing() {
    let before = machine();
    let own = std::fs::read_link("/proc/self/ns/net").expect("/proc is there").to_string_lossy().into_owned();
    for parent in [None, Some(""), Some("net:[1]"), Some(own.as_str())] {
        let mut worker = Command::new(env!("CARGO_BIN_EXE_echo-sim"));
        worker.arg("linux-worker").env_remove("ECHO_PARENT_NETNS").stdin(Stdio::null());
        worker.envs(parent.map(|parent| ("ECHO_PARENT_NETNS", parent)));
        let line = refusal(&worker.output().expect("it starts"));
        assert!(line.starts_with("echo-sim: not in a network namespace of its own: "), "{parent:?}: {line}");
    }
    assert_eq!(machine(), before);
}

/// A program that takes the place of `unshare`, and makes no namespace.
#[test]
fn without_namespaces_nothing_falls_back_to_the_machine() {
    let before = machine();
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("no-namespaces");
    std::fs::create_dir_all(&folder).expect("the target directory can be written to");
    let unshare = folder.join("unshare");
    let script = "#!/bin/sh\nwhile [ \"$1\" != -- ]; do shift; done\nshift\nexec \"$@\"\n";
    std::fs::write(&unshare, script).expect("the target directory can be written to");
    std::fs::set_permissions(&unshare, PermissionsExt::from_mode(0o755)).expect("a mode can be set");
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").expect("a path"));
    let mut worker = worker();
    worker.env("PATH", path).stdin(Stdio::null());
    let line = refusal(&worker.output().expect("it starts"));
    assert!(line.contains("it shares net:["), "{line}");
    assert_eq!(machine(), before);
}

/// Returns how many processes have this variable in their environment.
fn marked(variable: &str) -> usize {
    let has = |entry: std::fs::DirEntry| {
        // Processes of others cannot be read, and processes end.
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|one| one == variable.as_bytes())
    };
    std::fs::read_dir("/proc")
        .expect("/proc is there")
        .filter_map(Result::ok)
        .filter_map(|entry| has(entry).then_some(()))
        .count()
}

#[track_caller]
fn eventually(what: &str, ready: impl Fn() -> bool) {
    let begun = Instant::now();
    while !ready() {
        assert!(begun.elapsed() < Duration::from_secs(60), "not within 60 s: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A worker's parent is killed in the middle: the kernel ends the worker, its processes and its namespaces.
#[test]
fn nothing_stays_behind_when_the_parent_is_killed() {
    if !possible() {
        return;
    }
    let variable = format!("ECHO_TEST_MARK={}", std::process::id());
    let worker = worker();
    let mut parent = Command::new("bash");
    // The shell alone holds the worker's input.
    parent.args([
        "-c",
        "exec 3> >(exec \"$@\"); echo framed/client:vanish@idle/server:none/clear >&3; read -r",
        "bash",
    ]);
    parent.arg(worker.get_program()).args(worker.get_args());
    parent.envs(worker.get_envs().filter_map(|(name, value)| Some((name, value?))));
    parent.env("ECHO_TEST_MARK", std::process::id().to_string()).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut parent = parent.spawn().expect("bash");
    eventually("the shell, unshare and the worker", || marked(&variable) >= 3);
    parent.kill().expect("it runs");
    parent.wait().expect("it was killed");
    eventually("no process of it", || marked(&variable) == 0);
}
