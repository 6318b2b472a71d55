//! `echo-net bench`: its counts are those of the server, and what goes wrong is reported.

use crate::support::program::{ECHO_NET, Kid, Serve};
use crate::support::raw::{echo, hello, reply};
use crate::support::server::{ClosedPort, fake};
use serde_json::Value;
use std::process::Command;

const SHORT: [&str; 4] = ["--time", "300ms", "--warm-up", "50ms"];

/// Runs `echo-net bench --json`, and returns its exit code and result.
fn bench(arguments: &[&str]) -> (Option<i32>, Value) {
    let output = Command::new(ECHO_NET).args(["bench", "--json"]).args(SHORT).args(arguments).output();
    let output = output.expect("it runs");
    let line = String::from_utf8(output.stdout).expect("text");
    let value = serde_json::from_str(&line).unwrap_or_else(|error| {
        panic!("{arguments:?}: {error} in {line:?}; {}", String::from_utf8_lossy(&output.stderr));
    });
    (output.status.code(), value)
}

fn number(value: &Value, path: &str) -> u64 {
    value.pointer(path).and_then(Value::as_u64).unwrap_or_else(|| panic!("{path} is no count in {value}"))
}

/// Every request of the run has its answer, at both ends, and every conversation is clean.
#[test]
fn closed_loop() {
    let (code, result) = bench(&["--connections", "3", "--unanswered", "5", "--size", "1000"]);
    assert_eq!(code, Some(0), "{result}");
    let counts =
        ["/conversations/clean", "/served/accepted", "/served/outcomes/clean"].map(|path| number(&result, path));
    assert_eq!(counts, [3; 3], "{result}");
    assert_eq!(number(&result, "/account/answered"), number(&result, "/served/messages"));
    assert_eq!(number(&result, "/served/bytes"), 1000 * number(&result, "/served/messages"));
    let measured = number(&result, "/count");
    assert!(0 < measured && measured <= number(&result, "/account/answered"), "{result}");
    for times in ["latency_ns", "out_ns", "server_ns", "back_ns"] {
        assert_eq!(number(&result, &format!("/{times}/count")), measured, "{times}");
    }
    let shares = ["min", "p50", "p90", "p99", "p99.9", "p99.99", "p99.999", "max"];
    let shares = shares.map(|share| number(&result, &format!("/latency_ns/{share}")));
    assert!(shares.is_sorted() && shares[0] > 0, "{shares:?}");
}

/// At a rate the latency counts from the schedule, so it is never below the round trip.
#[test]
fn open_loop() {
    let (code, result) = bench(&["--rate", "1000", "--connections", "4"]);
    assert_eq!(code, Some(0), "{result}");
    assert_eq!(number(&result, "/pace/rate"), 1000);
    assert_eq!(number(&result, "/latency_ns/count"), number(&result, "/round_trip_ns/count"));
    assert!(number(&result, "/latency_ns/p50") >= number(&result, "/round_trip_ns/p50"), "{result}");
    // The schedule goes on from the begin of the run, whatever the server does. No more than due can be sent.
    let due = 1000.0 * (result["seconds"].as_f64().expect("a number") + 0.05) + 4.0;
    assert!((number(&result, "/account/answered") as f64) < 2.0 * due, "{result}");
}

/// Each short conversation has its whole end.
#[test]
fn short_conversations() {
    let (code, result) = bench(&["--short", "--connections", "2"]);
    assert_eq!(code, Some(0), "{result}");
    let ended = number(&result, "/conversations/clean");
    assert_eq!(number(&result, "/account/answered"), ended);
    assert_eq!(number(&result, "/served/outcomes/clean"), ended, "{result}");
    assert_eq!(number(&result, "/latency_ns/count"), number(&result, "/count"));
    assert!(number(&result, "/count") > 0, "{result}");
}

#[test]
fn plain_wire() {
    let (code, result) = bench(&["--plain", "--connections", "2", "--size", "20"]);
    assert_eq!(code, Some(0), "{result}");
    assert_eq!(number(&result, "/conversations/unproven"), 2, "{result}");
    assert_eq!(number(&result, "/latency_ns/count"), number(&result, "/count"));
    assert!(number(&result, "/count") > 0 && result["out_ns"].is_null(), "{result}");
}

/// A row for each measured message, with stamps in order.
#[test]
fn csv() {
    let path = std::env::temp_dir().join(format!("echo-net-bench-{}.csv", std::process::id()));
    let (code, result) = bench(&["--csv", path.to_str().expect("UTF-8"), "--connections", "2"]);
    let text = std::fs::read_to_string(&path).expect("it was written");
    std::fs::remove_file(&path).expect("it is there");
    assert_eq!(code, Some(0), "{result}");
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("connection,seq,t1,t2,t3,t4"));
    let rows: Vec<Vec<i64>> =
        lines.map(|line| line.split(',').map(|cell| cell.parse().expect(line)).collect()).collect();
    assert_eq!(rows.len() as u64, number(&result, "/count"));
    for row in &rows {
        let [connection, seq, t1, t2, t3, t4] = row[..] else { panic!("{row:?}") };
        assert!((0..2).contains(&connection) && seq > 0 && t1 <= t4 && t2 <= t3, "{row:?}");
    }
}

/// The text names the load, the percentiles and the ends. A server of another program gets the same clean ends.
#[test]
fn text_and_another_server() {
    let server = Serve::start(&["-q"]);
    let address = server.address.to_string();
    let (code, out, err) = Kid::echo_net(&[&["bench", &address, "-c", "2"][..], &SHORT].concat()).finish();
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    for needle in [&address, "2 connections, 16 unanswered each, 64 B", "p99.999", "up to", "conversations: 2 clean"] {
        assert!(out.contains(needle), "{needle} is missing in {out}");
    }
    let (code, report) = server.drain();
    assert_eq!(code, Some(0), "{report}");
    assert!(report.contains("(2 clean)"), "{report}");
}

/// A server that is killed in the run is a failure that says what was lost.
#[test]
fn killed_server() {
    let mut server = Serve::start(&["-q"]);
    let address = server.address.to_string();
    let bench = Kid::echo_net(&["bench", &address, "--time", "30s", "--csv", "/dev/stdout"]);
    bench.says(",");
    server.kid.kill();
    let (code, _, err) = bench.finish();
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("8 conversations") && err.contains("without an answer: may have run"), "{err}");
    assert_eq!(err.lines().count(), 1, "{err}");
}

/// A server that drains in the run ends every conversation clean, but the run was not what it should be.
#[test]
fn server_that_leaves() {
    let server = Serve::start(&["-q"]);
    let bench = Kid::echo_net(&["bench", &server.address.to_string(), "--time", "30s", "--csv", "/dev/stdout"]);
    bench.says(",");
    assert_eq!(server.drain().0, Some(0));
    let (code, _, err) = bench.finish();
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("8 conversations") && err.contains("it ended before the run was over: clean"), "{err}");
}

/// SIGINT ends the run early, politely, with the result so far.
#[test]
fn interrupt() {
    let bench = Kid::echo_net(&["bench", "--time", "60s", "--warm-up", "0", "--csv", "/dev/stdout"]);
    bench.says(",");
    bench.signal("INT");
    let (code, out, err) = bench.finish();
    assert_eq!((code, err.as_str()), (Some(130), ""));
    assert!(out.contains("conversations: 8 clean"), "{out}");
}

#[test]
fn an_answer_with_other_bytes_is_noticed() {
    let (address, server) = fake(|mut raw| {
        raw.bytes(hello().len());
        raw.send(b"\x89echo\r\n\x01");
        raw.bytes(echo(1, &[0; 64]).len());
        raw.send(&reply(1, b"other"));
        raw.rest()
    });
    let arguments = ["bench", &address.to_string(), "-c", "1", "-u", "1", "--time", "100ms", "--warm-up", "0"];
    let (code, _, err) =
        Kid::echo_net(&[&arguments[..], &["--deadline", "drain=1", "--deadline", "answer=1"]].concat()).finish();
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("1 message answered with other bytes than were sent"), "{err}");
    server.join().expect("no panic");
}

#[test]
fn what_cannot_be_done_is_one_line() {
    let closed = ClosedPort::new();
    let address = closed.address.to_string();
    for (arguments, expected, named) in [
        (&[address.as_str()][..], 3, "Connection refused"),
        (&["--size", "2M"], 2, "--size 2097152 is over --max-message"),
        (&["--plain", "--size", "0"], 2, "newline"),
        (&["--csv", "/nonexistent/file"], 3, "cannot write /nonexistent/file"),
        (&["no.such.host.invalid"], 3, "cannot find no.such.host.invalid:2012"),
    ] {
        let (code, out, err) = Kid::echo_net(&[&["bench"][..], arguments].concat()).finish();
        assert_eq!((code, out.as_str(), err.lines().count()), (Some(expected), "", 1), "{arguments:?}: {err}");
        assert!(err.contains(named), "{arguments:?}: {err}");
    }
}
