//! Readers of the programs' output that stall or have gone: no conversation waits for them, and no program stops.

use crate::support::eventually;
use crate::support::program::{ECHO_NET, Kid, Serve};
use crate::support::raw::Raw;
use std::io::{PipeReader, Read, Write, pipe};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

#[test]
fn a_server_whose_log_nobody_reads_any_more_serves_on() {
    let (log, stderr) = pipe().expect("a pipe");
    let mut command = Command::new(ECHO_NET);
    command.args(["serve", "--listen", "127.0.0.1:0"]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr);
    let serve = Serve::by(Kid::spawn(&mut command));
    drop((log, command));
    for _ in 0..5 {
        let mut framed = Raw::greeted(serve.address);
        framed.asks(1, b"does anybody listen?");
        framed.ends_clean(1);
        let mut plain = Raw::connect(serve.address);
        plain.send(b"does anybody listen?\n");
        plain.finish();
        assert!(plain.rest().ends_with(b"] does anybody listen?\n"));
    }
    let (code, report) = serve.drain();
    assert_eq!(code, Some(0));
    assert!(
        report.starts_with("served 10 connections (5 clean, 5 unproven), 0 refused at a limit, 10 messages"),
        "{report}"
    );
}

#[test]
fn a_server_whose_report_nobody_reads_drains_too() {
    let (mut address, stdout) = pipe().expect("a pipe");
    let mut command = Command::new(ECHO_NET);
    command.args(["serve", "--listen", "127.0.0.1:0"]).stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped());
    let kid = Kid::spawn(&mut command);
    drop(command);
    let mut line = Vec::new();
    while !line.ends_with(b"\n") {
        let mut byte = [0];
        address.read_exact(&mut byte).expect("it says where it listens");
        line.extend(byte);
    }
    drop(address);
    let line = String::from_utf8(line).expect("text");
    let mut client =
        Raw::greeted(line.trim_end().rsplit(' ').next().and_then(|at| at.parse().ok()).expect("an address"));
    client.asks(1, b"hello");
    client.ends_clean(1);
    kid.logs("ends: clean");
    kid.signal("INT");
    let (code, _, err) = kid.finish();
    assert_eq!(code, Some(0), "{err}");
    assert!(!err.contains("panicked"), "{err}");
}

/// `yes | echo-net connect`, with its answers in the pipe `answers`.
struct Stalled {
    kid: Kid,
    answers: PipeReader,
}

impl Stalled {
    /// Starts it, and waits until it reads no more from `yes`.
    #[track_caller]
    fn start(serve: &Serve, options: &[&str]) -> Self {
        let (input, mut yes) = pipe().expect("a pipe");
        let (answers, output) = pipe().expect("a pipe");
        let mut command = Command::new(ECHO_NET);
        command.arg("connect").args(options).arg(serve.address.to_string());
        let kid = Kid::spawn(command.stdin(input).stdout(output).stderr(Stdio::piped()));
        let taken = Arc::new(AtomicU64::new(0));
        let counter = taken.clone();
        // The thread ends with the program, which holds the only other end of this pipe.
        std::thread::spawn(move || {
            let lines = b"y\n".repeat(2048);
            while yes.write_all(&lines).is_ok() {
                counter.fetch_add(1, Ordering::Relaxed);
            }
        });
        let (mut seen, mut calm) = (0, Instant::now());
        eventually("the standstill", || {
            let now = taken.load(Ordering::Relaxed);
            if now != seen {
                (seen, calm) = (now, Instant::now());
            }
            now > 0 && calm.elapsed() > Duration::from_millis(500)
        });
        Self { kid, answers }
    }
}

/// Clauses 5.1–5.3, 8.2: the CLOSE frames need no reader, and answers are still written when there is one.
#[test]
fn answers_that_nobody_reads_keep_no_server_waiting() {
    let serve = Serve::start(&["--deadline", "shutdown=20"]);
    let Stalled { kid, mut answers } = Stalled::start(&serve, &[]);
    let (code, report) = serve.drain();
    assert_eq!(code, Some(0));
    assert!(report.starts_with("served 1 connections (1 clean), 0 refused at a limit, "), "{report}");
    let reader = std::thread::spawn(move || {
        let mut all = String::new();
        answers.read_to_string(&mut all).map(|_| all.lines().filter(|line| line.ends_with("] y")).count())
    });
    let (_, _, err) = kid.finish();
    let lines = reader.join().expect("no panic").expect("text");
    assert!(err.contains("ended clean (1001 going away), begun by the peer"), "{err}");
    assert!(err.contains(&format!("; {lines} answered, 0 refused, 0 unknown")), "{lines} lines: {err}");
    assert!(report.contains(&format!("{lines} messages")), "{lines} lines: {report}");
}

#[test]
fn answers_whose_reader_goes_end_the_program() {
    let serve = Serve::start(&[]);
    let Stalled { kid, answers } = Stalled::start(&serve, &[]);
    drop(answers);
    let (code, _, err) = kid.finish();
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("cannot write the answers: ") && !err.contains("panicked"), "{err}");
    serve.kid.logs("ends: clean (1000 normal)");
}

/// Clauses 5.9, 8.1, 8.2: on the plain wire, output waits at the server for the reader, within the server's deadlines.
#[test]
fn plain_answers_that_nobody_reads_keep_no_server_beyond_its_deadlines() {
    let serve = Serve::start(&["--deadline", "shutdown=2"]);
    let Stalled { kid, answers } = Stalled::start(&serve, &["--plain"]);
    let (code, report) = serve.drain();
    assert_eq!(code, Some(0));
    assert!(report.starts_with("served 1 connections (1 "), "{report}");
    assert!(!report.contains("clean"), "{report}");
    drop(answers);
    let (code, _, err) = kid.finish();
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("cannot write the received bytes: ") && !err.contains("panicked"), "{err}");
}

/// What arrived before the server ended is written when there is a reader.
#[test]
fn plain_answers_are_read_late() {
    let serve = Serve::start(&["--deadline", "shutdown=2"]);
    let Stalled { kid, mut answers } = Stalled::start(&serve, &["--plain"]);
    let (code, _) = serve.drain();
    assert_eq!(code, Some(0));
    let reader = std::thread::spawn(move || std::io::copy(&mut answers, &mut std::io::sink()));
    let (code, _, err) = kid.finish();
    assert!(reader.join().expect("no panic").expect("a pipe") > 0);
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("not every byte sent came back"), "{err}");
}

#[test]
fn plain_answers_whose_reader_is_gone_end_the_program() {
    let serve = Serve::start(&[]);
    let (answers, output) = pipe().expect("a pipe");
    drop(answers);
    let mut command = Command::new(ECHO_NET);
    command.args(["connect", "--plain", &serve.address.to_string()]);
    let mut kid = Kid::spawn(command.stdin(Stdio::piped()).stdout(output).stderr(Stdio::piped()));
    kid.write(b"hello\n");
    // Its input stays open, so it ends by itself.
    eventually("the end of the program", || kid.has_ended());
    let (code, _, err) = kid.finish();
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("failed: cannot write the received bytes: Broken pipe"), "{err}");
    serve.kid.logs("ends: unproven");
}
