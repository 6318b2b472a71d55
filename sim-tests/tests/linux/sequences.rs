//! The Linux kernel: the catalogue's sequences, the TCP states, the table of differences, and nothing outside the
//! namespace.

use crate::worker::{possible, run, worker};
use sim_tests::catalogue::{self, Sequence};
use sim_tests::fidelity::{Comparison, Differences, Kind, Mismatch, PROGRAMS, StackProgram, TABLE};
use sim_tests::tcp::{TcpEvent, TcpState};
use sim_tests::{Backend, Record, Scenario, check_tcp, do_on_linux};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Each sequence runs so many times.
const TRIES: usize = 5;

/// The sequences that the table says end in another way on Linux.
fn different() -> BTreeSet<String> {
    let table = Differences::read(TABLE).expect("the table is sound");
    table.lines(Kind::Endings).filter_map(|line| Some(line.split_once(": ")?.1.to_owned())).collect()
}

/// The sequences in which at most one side acts, on the network without faults, on two that are cut, and on one that
/// delivers several packets at once.
fn sequences() -> Vec<&'static Sequence> {
    let different = different();
    catalogue::all()
        .iter()
        .filter(|sequence| sequence.scenario.client.steps.len() + sequence.scenario.server.steps.len() <= 1)
        .filter(|sequence| {
            ["/clear", "/coalesced", "/cut-idle", "/cut-healed"].iter().any(|end| sequence.id.ends_with(end))
        })
        .filter(|sequence| !different.contains(&sequence.id))
        .collect()
}

#[test]
fn linux_ends_as_the_oracle_allows() {
    if !possible() {
        return;
    }
    let sequences = sequences();
    assert!(sequences.len() >= 1000, "{}", sequences.len());
    let jobs: Vec<Scenario> =
        sequences.iter().flat_map(|sequence| std::iter::repeat_n(sequence.scenario.clone(), TRIES)).collect();
    let records = run(&jobs);
    assert_eq!(records.len(), TRIES * sequences.len());
    let mut problems: BTreeMap<String, usize> = BTreeMap::new();
    for (sequence, records) in sequences.iter().zip(records.chunks(TRIES)) {
        for record in records {
            let breaches = check_tcp(record).into_iter().map(|breach| breach.to_string());
            let wrong = sequence.judge(record).into_iter().map(|problem| problem.to_string());
            for problem in wrong.chain(breaches) {
                *problems.entry(format!("{}: {problem}", sequence.id)).or_default() += 1;
            }
        }
    }
    let shown: Vec<String> = problems.iter().map(|(what, count)| format!("{count} of {TRIES} {what}")).collect();
    assert!(problems.is_empty(), "of {} sequences:\n{}", sequences.len(), shown.join("\n"));
}

/// Whether a socket of `side` is in `state` at some time.
fn passes(record: &Record, side: usize, state: TcpState) -> bool {
    record.packets.iter().any(|moment| {
        matches!(&moment.event, TcpEvent::Changed { side: whose, to, .. } if *whose as usize == side && *to == state)
    })
}

/// Whether both sockets are in CLOSING at the same time.
fn both_closing(record: &Record) -> bool {
    record.packets.iter().any(|moment| match &moment.event {
        TcpEvent::Arrived { states, .. } | TcpEvent::Sent { states, .. } => *states == [TcpState::Closing; 2],
        TcpEvent::Changed { .. } => false,
    })
}

/// Whether a record shows a state.
type Shows = Box<dyn Fn(&Record) -> bool>;

/// Each closing state of RFC 9293, in a sequence that leads to it: in 20 of 20 tries.
#[test]
fn each_closing_state_is_seen_each_time() {
    const TRIES: usize = 20;
    const CLIENT: usize = 0;
    const SERVER: usize = 1;
    if !possible() {
        return;
    }
    let closes = "framed/client:close@idle/server:none/clear";
    let crosses = "framed/client:half-close@idle/server:half-close@idle/clear";
    let one_lost = "framed/client:half-close@idle/server:half-close@idle/fin-lost";
    let not_yet_closed = "framed/client:drop-unread@after-close/server:none/clear";
    let has = |side, state| move |record: &Record| passes(record, side, state);
    let cases: [(&str, &str, Shows); 7] = [
        ("FIN-WAIT-1", closes, Box::new(has(CLIENT, TcpState::FinWait1))),
        ("CLOSE-WAIT", closes, Box::new(has(SERVER, TcpState::CloseWait))),
        ("LAST-ACK", closes, Box::new(has(SERVER, TcpState::LastAck))),
        ("TIME-WAIT", closes, Box::new(has(CLIENT, TcpState::TimeWait))),
        ("FIN-WAIT-2", not_yet_closed, Box::new(has(SERVER, TcpState::FinWait2))),
        ("CLOSING at both", crosses, Box::new(both_closing)),
        (
            "CLOSING at one",
            one_lost,
            Box::new(|record| {
                let closing = [CLIENT, SERVER].map(|side| passes(record, side, TcpState::Closing));
                closing.into_iter().filter(|is_closing| *is_closing).count() == 1
            }),
        ),
    ];
    let jobs: Vec<Scenario> = cases
        .iter()
        .flat_map(|(_, id, _)| std::iter::repeat_n(id.parse::<Scenario>().expect("an id"), TRIES))
        .collect();
    let records = run(&jobs);
    for ((name, _, is_seen), records) in cases.iter().zip(records.chunks(TRIES)) {
        let seen = records.iter().filter(|record| is_seen(record)).count();
        assert_eq!(seen, TRIES, "{name}");
    }
}

// ---- the table of differences ----

/// A part of the sequences: enough for each kind of difference of endings.
fn compared() -> Vec<Scenario> {
    let product = catalogue::all().iter().map(|sequence| &sequence.scenario);
    let packets = catalogue::packets().iter().map(|sequence| &sequence.scenario);
    let different = different();
    let of_table = |scenario: &Scenario| different.contains(&scenario.to_string());
    let others = product.clone().filter(|scenario| Backend::Linux.expresses(scenario).is_ok());
    let others = others.filter(|scenario| scenario.client.steps.len() + scenario.server.steps.len() <= 1);
    let others = others.step_by(17).filter(|scenario| !of_table(scenario));
    product.chain(packets).filter(|scenario| of_table(scenario)).chain(others).cloned().collect()
}

/// The whole table is checked by `echo-sim fidelity`, which CI runs. Here it is checked that it would be noticed if an
/// entry were removed, or invented.
#[test]
fn a_removed_and_an_invented_entry_are_noticed() {
    if !possible() {
        return;
    }
    let scenarios = compared();
    let jobs: Vec<Scenario> = scenarios.iter().flat_map(|scenario| std::iter::repeat_n(scenario.clone(), 3)).collect();
    let records = run(&jobs);
    let linux: Vec<&[Record]> = records.chunks(3).collect();
    let comparisons = Comparison::all(&scenarios, &linux, || ()).expect("the simulators run");
    let found = Differences::found(&comparisons);
    let ids: BTreeSet<String> = scenarios.iter().map(ToString::to_string).collect();
    let table = || {
        let all = Differences::read(TABLE).expect("the table is sound");
        all.only(|kind, line| kind == Kind::Endings && ids.contains(line.split_once(": ").expect("an id").1))
    };
    let found = found.only(|kind, _| kind == Kind::Endings);
    assert_eq!(Differences::mismatches(&table(), &found), []);

    let entry = table().lines(Kind::Endings).next().expect("an entry").to_owned();
    let without = table().only(|_, line| line != entry);
    assert_eq!(Differences::mismatches(&without, &found), [Mismatch::NotInTable(Kind::Endings, entry)]);
    let mut with = table();
    let invented = "packet: framed/client:close@idle/server:none/clear".to_owned();
    with.add(Kind::Endings, invented.clone());
    assert_eq!(Differences::mismatches(&with, &found), [Mismatch::NoLonger(Kind::Endings, invented)]);
}

/// What the simulators' own stacks do, and Linux, is what the table says.
#[test]
fn the_stacks_do_what_the_table_says() {
    if !possible() {
        return;
    }
    let jobs: Vec<String> = PROGRAMS.iter().map(StackProgram::job).collect();
    let linux = do_on_linux(worker(), &jobs, || ()).unwrap_or_else(|error| panic!("{error}"));
    let mut found = Differences::default();
    for (program, linux) in PROGRAMS.iter().zip(linux) {
        let (simulator, linux) = (program.on_simulator(), linux.as_str().expect("a text").to_owned());
        assert_ne!(simulator, linux, "{} is no difference", program.name);
        found.add(Kind::Stacks, format!("{} {}: {simulator} | linux: {linux}", program.simulator, program.name));
    }
    let table = Differences::read(TABLE).expect("the table is sound").only(|kind, _| kind == Kind::Stacks);
    assert_eq!(Differences::mismatches(&table, &found), []);
}

// ---- nothing outside the namespace ----

/// What routes, devices, rules, filters, queues or settings would change on this machine.
fn machine() -> Vec<String> {
    let mut state: Vec<String> = [
        &["tc", "qdisc", "show"][..],
        &["nft", "list", "ruleset"],
        &["ip", "-brief", "link"],
        &["ip", "rule"],
        &["ip", "route", "show", "table", "all"],
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

/// A run with routes, a device and settings of its own leaves the machine's as they were.
#[test]
fn a_run_changes_nothing_outside() {
    if !possible() {
        return;
    }
    let before = machine();
    let scenario: Scenario = "framed/client:vanish@idle/server:none/cut-idle".parse().expect("an id");
    assert_eq!(run(&[scenario]).len(), 1);
    assert_eq!(machine(), before);
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
