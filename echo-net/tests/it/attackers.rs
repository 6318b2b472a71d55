//! Each kind of hostile or broken client on a small scale: other clients lose nothing, each attacker gets the ending
//! that it must get, and leaves nothing behind.

use crate::support::program::{Kid, Serve};
use crate::support::server::{ClosedPort, fake, swallow};
use crate::support::{eventually, within};
use echo_net::echo_core::Deadline;
use echo_net::misbehave::{Ending, Kind, Load, MisbehaveReport, StreamEnd, Wire, run};
use echo_net::{Client, ClientConfig, RequestError};
use procfs::process::Process;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

const CONNECTIONS: usize = 20;
const BYSTANDERS: usize = 4;
/// The payload limit of these servers, in bytes.
const MESSAGE: usize = 256 * 1024;

/// Deadlines of the server, and the duration of the attack, in milliseconds. Short deadlines pass during the attack.
#[derive(Clone, Copy)]
struct Setting {
    deadlines: &'static [(Deadline, u64)],
    duration: u64,
    options: &'static [&'static str],
}

/// The server has to answer at once.
const PROMPT: Setting = Setting { deadlines: &[], duration: 200, options: &[] };
/// Ends at the detect deadline.
const DETECT: Setting =
    Setting { deadlines: &[(Deadline::Detect, 300), (Deadline::Fin, 200)], duration: 700, options: &[] };
/// Ends at the write deadline.
const WRITE: Setting = Setting { deadlines: &[(Deadline::Write, 400)], duration: 900, options: &[] };
/// Ends at the idle deadline and those that follow.
const IDLE: Setting = Setting {
    deadlines: &[
        (Deadline::Idle, 1000),
        (Deadline::Write, 400),
        (Deadline::Drain, 200),
        (Deadline::Close, 300),
        (Deadline::Linger, 200),
    ],
    duration: 3400,
    options: &[],
};
/// Ends at the idle deadline itself.
const SILENT: Setting = Setting { deadlines: &[(Deadline::Idle, 1000)], duration: 1200, options: &[] };
/// Reads or writes all the while, so nothing ends it.
const HELD: Setting = Setting { deadlines: &[], duration: 300, options: &[] };
/// The server's connections are at their limit.
const FULL: Setting = Setting { deadlines: &[], duration: 200, options: &["--max-connections", "10"] };

/// Makes a test of each kind, and the list of the kinds with a test.
macro_rules! each_kind {
    ($($test:ident: $kind:ident, $setting:ident;)*) => {
        $(#[test] fn $test() { withstands(Kind::$kind, $setting); })*
        const TESTED: &[Kind] = &[$(Kind::$kind),*];
    };
}

each_kind! {
    slow_preface: SlowPreface, DETECT;
    slow_frame: SlowFrame, IDLE;
    slow_line: SlowLine, HELD;
    unread_frames: UnreadFrames, WRITE;
    unread_lines: UnreadLines, WRITE;
    slow_reader: SlowReader, HELD;
    tiny_frames: TinyFrames, PROMPT;
    tiny_frames_unread: TinyFramesUnread, WRITE;
    empty_echoes: EmptyEchoes, PROMPT;
    goaway_flood: GoawayFlood, PROMPT;
    unknown_frames: UnknownFrames, PROMPT;
    critical_frames: CriticalFrames, PROMPT;
    newlines: Newlines, PROMPT;
    half_open: HalfOpen, SILENT;
    unfinished_line: UnfinishedLine, HELD;
    unfinished_frame: UnfinishedFrame, IDLE;
    unread_answer: UnreadAnswer, IDLE;
    close_each_time: CloseEachTime, PROMPT;
    close_wrong_count: CloseWrongCount, PROMPT;
    close_unsent: CloseUnsent, PROMPT;
    close_too_soon: CloseTooSoon, PROMPT;
    close_in_preface: CloseInPreface, PROMPT;
    goaway_wrong_count: GoawayWrongCount, PROMPT;
    fin_anywhere: FinAnywhere, PROMPT;
    rst_anywhere: RstAnywhere, PROMPT;
    unasked_replies: UnaskedReplies, PROMPT;
    enormous_length: EnormousLength, PROMPT;
    over_limit: OverLimit, FULL;
    connect_burst: ConnectBurst, PROMPT;
}

#[test]
fn every_kind_has_a_test() {
    assert_eq!(TESTED, Kind::ALL);
    let ids: BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.id()).collect();
    assert_eq!(ids.len(), Kind::ALL.len(), "each has an id of its own");
    for kind in Kind::ALL {
        assert_eq!(kind.id().parse(), Ok(*kind));
        for line in [kind.summary(), kind.must_get(), kind.may_cost()] {
            assert!(!line.is_empty() && !line.contains(['\n', '|']), "{kind}: a cell of a table: {line:?}");
        }
    }
}

/// A server that leaves its connections open is reported as overdue.
#[tokio::test]
async fn a_server_that_never_lets_go_is_told() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it listens");
    let mut load = load(Kind::SlowPreface, Wire::Framed, DETECT);
    // Connections that start later are not overdue when the time is over.
    (load.connections, load.patience) = (3, Duration::from_millis(100));
    let report = within(run(Kind::SlowPreface, address, load)).await;
    let overdue = Ending { close_frame: None, end: StreamEnd::Overdue, is_garbled: false };
    assert_eq!(report.not_allowed().collect::<Vec<_>>(), [(overdue, 3)], "{report}");
}

#[track_caller]
fn withstands(kind: Kind, setting: Setting) {
    let limit = MESSAGE.to_string();
    let deadlines = setting.deadlines.iter();
    let deadlines: Vec<_> = deadlines.map(|(name, length)| format!("{name}={}", *length as f64 / 1000.0)).collect();
    let mut options = vec!["--silent", "--max-message", &limit];
    options.extend(setting.options);
    deadlines.iter().for_each(|deadline| options.extend(["--deadline", deadline]));
    let serve = Serve::start(&options);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let bystanders = Bystanders::connect(serve.address).await;
        let before = descriptors(&serve);
        let mut attacks = JoinSet::new();
        for wire in kind.wires() {
            attacks.spawn(run(kind, serve.address, load(kind, *wire, setting)));
        }
        while let Some(report) = within(attacks.join_next()).await {
            check(&report.expect("an attacker never panics"), setting);
        }
        eventually("the descriptors of the beginning", || descriptors(&serve) <= before);
        bystanders.finish().await;
    });
    let (code, report) = serve.drain();
    assert_eq!(code, Some(0));
    assert!(!report.contains("PANICKED"), "{report}");
}

fn load(kind: Kind, wire: Wire, setting: Setting) -> Load {
    let mut load = Load::of(kind);
    load.connections = CONNECTIONS;
    load.duration = Duration::from_millis(setting.duration);
    load.patience = Duration::from_secs(30);
    load.wire = wire;
    load.payload_limit = MESSAGE;
    load.pace = load.pace.min(Duration::from_millis(50));
    for (name, length) in setting.deadlines {
        load.deadlines.set(*name, Duration::from_millis(*length));
    }
    load
}

#[track_caller]
fn check(report: &MisbehaveReport, setting: Setting) {
    assert!(report.is_allowed(), "{report}");
    assert!(report.connected > 0, "{report}");
    assert_eq!(report.endings.values().sum::<u64>(), report.connected, "{report}");
    assert_eq!(report.busy() > 0, !setting.options.is_empty(), "{report}");
}

fn descriptors(serve: &Serve) -> usize {
    let id = i32::try_from(serve.kid.id()).expect("a process id");
    Process::new(id).and_then(|process| process.fd_count()).expect("the server runs")
}

/// Well-behaved clients that check each answer.
struct Bystanders {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Bystanders {
    /// Connects the clients. Returns after each has got an answer.
    async fn connect(address: SocketAddr) -> Self {
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        for _ in 0..BYSTANDERS {
            let client = within(Client::connect(address, ClientConfig::default())).await.expect("the server accepts");
            assert!(ask(&client, 0).await, "an answer");
            tasks.spawn(talk(address, client, stopped.clone()));
        }
        Self { stop, tasks }
    }

    async fn finish(mut self) {
        self.stop.send_replace(true);
        while let Some(ended) = within(self.tasks.join_next()).await {
            ended.expect("a client that behaves well lost nothing");
        }
    }
}

async fn talk(address: SocketAddr, mut client: Client, mut stopped: watch::Receiver<bool>) {
    let mut answered = 1;
    // This is only the client's rate; no check depends on it.
    while tokio::time::timeout(Duration::from_millis(20), stopped.wait_for(|stopped| *stopped)).await.is_err() {
        if ask(&client, answered).await {
            answered += 1;
        } else {
            ended_clean(&client, answered).await;
            client = within(Client::connect(address, ClientConfig::default())).await.expect("the server accepts");
            answered = 0;
        }
    }
    ended_clean(&client, answered).await;
}

async fn ended_clean(client: &Client, answered: u64) {
    let outcome = within(client.close()).await;
    assert_eq!((outcome.end.name(), outcome.account.answered), ("clean", answered), "{outcome}");
}

/// Returns whether there is an answer. If this process does not run for as long as the idle deadline, the server asks
/// the client to leave: then the request is refused, and nothing is lost.
async fn ask(client: &Client, number: u64) -> bool {
    let payload = number.to_be_bytes();
    match within(client.request(payload)).await {
        Ok(answer) => {
            assert_eq!((answer.seq, answer.payload), (number + 1, payload.to_vec()));
            true
        }
        Err(RequestError::Refused { .. }) => false,
        Err(error) => panic!("{error}"),
    }
}

// ---- the command ----

#[track_caller]
fn command(arguments: &[&str]) -> (Option<i32>, String, String) {
    let all = [&["misbehave"], arguments].concat();
    let (code, out, err) = Kid::echo_net(&all).finish();
    assert!(!err.contains("panicked"), "{err}");
    (code, out, err)
}

#[test]
fn the_command_lists_every_kind() {
    let (code, out, _) = command(&["--list"]);
    assert_eq!(code, Some(0));
    let listed: Vec<_> = out.lines().filter_map(|line| line.split_once("  ")).collect();
    let ids: Vec<_> = listed.iter().map(|(id, _)| id.trim()).collect();
    assert_eq!(ids, Kind::ALL.iter().map(|kind| kind.id()).collect::<Vec<_>>());
    for (kind, (_, summary)) in Kind::ALL.iter().zip(listed) {
        assert_eq!(summary.trim(), kind.summary());
    }
}

#[test]
fn the_command_says_what_each_connection_got() {
    let serve = Serve::start(&["--silent"]);
    let address = serve.address.to_string();
    let (code, out, err) = command(&["enormous-length", &address, "--connections", "3", "--seconds", "0.1"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains(" × CLOSE 1009 too big, FIN (expected a message of at most 1048576 bytes in ECHO"), "{out}");
    let (code, out, err) = command(&["half-open", &address, "--connections", "3", "--seconds", "0", "--wire", "plain"]);
    assert_eq!((code, err.contains("cannot connect to")), (Some(3), true), "no time to connect: {out}{err}");
}

#[test]
fn the_command_tells_a_server_that_does_wrong() {
    let (address, server) = fake(|mut raw| {
        raw.greets();
        raw.finish();
        swallow(raw)
    });
    let arguments = ["goaway-wrong-count", &address.to_string(), "--connections", "1", "--seconds", "0.2"];
    let (code, out, err) = command(&arguments);
    assert_eq!(code, Some(1), "{out}{err}");
    assert!(out.contains("1 × NOT ALLOWED: FIN"), "{out}");
    assert!(err.contains("1 connections got FIN: expected CLOSE 1002, then FIN"), "{err}");
    server.join().expect("no panic");
}

#[test]
fn the_command_refuses_what_it_should() {
    let (code, _, err) = command(&["half-open", "192.0.2.1:2012"]);
    assert_eq!(code, Some(2));
    assert!(err.contains("192.0.2.1:2012 is not on loopback") && err.contains("--i-own-this-server"), "{err}");
    let (code, _, err) = command(&["dance", "127.0.0.1:2012"]);
    assert_eq!((code, err.contains("dance is not a kind of misbehaviour")), (Some(2), true), "{err}");
    let (code, _, err) = command(&["slow-line", "127.0.0.1:2012", "--wire", "framed"]);
    assert_eq!((code, err.contains("slow-line does not work on the framed wire")), (Some(2), true), "{err}");
    let (code, _, err) = command(&["half-open"]);
    assert_eq!((code, err.contains("HOST:PORT")), (Some(2), true), "{err}");
    let closed = ClosedPort::new();
    let address = closed.address.to_string();
    let (code, _, err) = command(&["half-open", &address, "--connections", "1", "--seconds", "0.1"]);
    assert_eq!((code, err.contains("cannot connect to")), (Some(3), true), "{err}");
}

// ---- ATTACKERS.md ----

/// The rows of the table under `heading` in ATTACKERS.md. The first cell loses its backticks.
#[track_caller]
fn table(heading: &str) -> Vec<Vec<String>> {
    let text = include_str!("../../ATTACKERS.md");
    let (_, section) = text.split_once(heading).unwrap_or_else(|| panic!("{heading} is in ATTACKERS.md"));
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let cells = |row: &str| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    let mut rows: Vec<Vec<String>> = rows.map(cells).collect();
    rows.iter_mut().for_each(|row| row[0] = row[0].trim_matches('`').to_owned());
    rows
}

#[test]
fn the_document_says_of_each_kind_what_the_library_says() {
    let rows = table("## What each kind does");
    let expected: Vec<_> = Kind::ALL
        .iter()
        .map(|kind| [kind.id(), kind.summary(), kind.must_get(), kind.may_cost()].map(str::to_owned).to_vec())
        .collect();
    assert_eq!(rows, expected);
}

#[test]
fn the_document_has_a_measurement_of_each_kind() {
    let rows = table("## What it costs");
    let ids: Vec<_> = rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(ids, Kind::ALL.iter().map(|kind| kind.id()).collect::<Vec<_>>());
}
