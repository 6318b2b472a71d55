//! Metrics of a server: by HTTP, in the library, and its report as a file.

use crate::support::program::{Kid, Serve, limited};
use crate::support::raw::{Raw, Said, hello};
use crate::support::server::{ServerTask, server_config};
use crate::support::{eventually, within};
use echo_net::echo_core::{Deadline, Failure};
use echo_net::{Client, ClientConfig, Metrics, Report, Request, RequestError, Response, ServerConfig, service_fn};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// A server that offers metrics, and where.
struct Watched {
    serve: Serve,
    metrics: SocketAddr,
}

impl Watched {
    #[track_caller]
    fn start(arguments: &[&str]) -> Self {
        let serve = Serve::start(&[&["--metrics", "127.0.0.1:0"], arguments].concat());
        let metrics = metrics_address(&serve.kid);
        Self { serve, metrics }
    }

    /// Waits until the metrics have these lines.
    #[track_caller]
    fn shows(&self, lines: &[&str]) {
        let mut last = String::new();
        let has = |text: &str, line: &str| text.lines().any(|found| found == format!("echo_net_{line}"));
        eventually(&format!("the metrics {lines:?}"), || {
            last = get(self.metrics, "/metrics").1;
            lines.iter().all(|line| has(&last, line))
        });
        assert!(last.ends_with("# EOF\n"), "{last}");
    }
}

#[track_caller]
fn metrics_address(kid: &Kid) -> SocketAddr {
    let line = kid.says("metrics at http://");
    let address = line.split("http://").nth(1).and_then(|url| url.strip_suffix("/metrics")).expect("an address");
    address.parse().expect("an address")
}

/// Sends bytes, and returns everything up to the end.
#[track_caller]
fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let mut raw = Raw::connect(address);
    raw.send(bytes);
    String::from_utf8(raw.rest()).expect("UTF-8")
}

/// Returns the status and the body.
#[track_caller]
fn get(address: SocketAddr, path: &str) -> (u16, String) {
    parsed(&exchange(address, format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()))
}

#[track_caller]
fn parsed(response: &str) -> (u16, String) {
    let (head, body) = response.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, body.to_owned())
}

#[test]
fn metrics_show_what_happened() {
    let watched = Watched::start(&["--deadline", "detect=50ms", "--max-connections", "1"]);
    let mut slow = Raw::connect(watched.serve.address);
    slow.send(&hello()[..1]);
    watched.shows(&["connections_timed_out_total{deadline=\"detect\"} 1", "connections_open{kind=\"served\"} 0"]);
    drop(slow);
    let mut client = Raw::greeted(watched.serve.address);
    client.asks(1, b"hello");
    client.ends_clean(1);
    watched.shows(&[
        "connections_accepted_total 2",
        "connections_ended_total{outcome=\"clean\"} 1",
        "connections_ended_total{outcome=\"timed out\"} 1",
        "connections_ended_total{outcome=\"reset\"} 0",
        "connection_duration_seconds_count 2",
        "connection_duration_seconds_bucket{le=\"+Inf\"} 2",
        "requests_total{fate=\"answered\"} 1",
        "requests_failed_total 0",
        "messages_total 1",
        "payload_bytes_total 5",
        "accept_errors_total 0",
        "panics_total 0",
        "shared_memory_bytes 0",
        "draining 0",
    ]);
}

#[test]
fn open_and_refused_connections_are_shown() {
    let watched = Watched::start(&["--max-connections", "1"]);
    let mut first = Raw::greeted(watched.serve.address);
    first.asks(1, b"I was here first");
    let second = Raw::connect(watched.serve.address);
    watched.shows(&[
        "connections_open{kind=\"served\"} 1",
        "connections_open{kind=\"refused\"} 1",
        "connections_refused_total 1",
    ]);
    second.hears_refusal("try again later: all 1 connections are in use");
    watched.shows(&["connections_open{kind=\"refused\"} 0", "connections_ended_total{outcome=\"failed\"} 1"]);
}

#[test]
fn other_paths_and_methods_are_refused() {
    let watched = Watched::start(&[]);
    let response = exchange(watched.metrics, b"GET /metrics HTTP/1.0\r\n\r\n");
    assert!(response.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"));
    assert_eq!(get(watched.metrics, "/metrics?name=x").0, 200);
    assert_eq!(get(watched.metrics, "/healthz"), (200, "ok\n".to_owned()));
    assert_eq!(get(watched.metrics, "/").0, 404);
    assert_eq!(get(watched.metrics, "/metrics/x").0, 404);
    for method in ["POST", "DELETE", "PATCH"] {
        let response = exchange(watched.metrics, format!("{method} /metrics HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
        assert_eq!(parsed(&response).0, 405, "{response}");
        assert!(response.contains("allow: GET\r\n"), "{response}");
    }
}

/// A balancer learns of the drain while connections still end.
#[test]
fn a_drain_is_shown_until_it_is_over() {
    let mut watched = Watched::start(&[]);
    let mut client = Raw::greeted(watched.serve.address);
    client.asks(1, b"hello");
    watched.serve.kid.signal("INT");
    assert_eq!(client.hears(), Said::GoAway { last: 0, code: 1001 });
    assert_eq!(get(watched.metrics, "/healthz"), (503, "draining\n".to_owned()));
    watched.shows(&["draining 1", "connections_open{kind=\"served\"} 1"]);
    client.ends_clean_as(1, 1001);
    assert_eq!(watched.serve.kid.wait().code(), Some(0));
    assert_eq!(TcpStream::connect(watched.metrics).expect_err("it has ended").kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn bad_requests_harm_nobody() {
    let watched = Watched::start(&[]);
    let long = [&b"GET /metrics HTTP/1.1\r\nX: "[..], &[b'x'; 64 * 1024], b"\r\n\r\n"].concat();
    let lines = [&b"GET /metrics HTTP/1.1\r\n"[..], &b"X: y\r\n".repeat(500), b"\r\n"].concat();
    let mut noise = Vec::from(*b"\x16\x03\x01");
    noise.extend((0..100_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8));
    for input in [long, lines, noise, hello().to_vec(), b"\r\n\r\n\r\n".to_vec(), Vec::new()] {
        let mut stream = Raw::connect(watched.metrics).stream;
        // It may end, by FIN or by RST, before it has read everything.
        let _ = stream.write_all(&input).and_then(|()| stream.shutdown(Shutdown::Write));
        let mut response = Vec::new();
        let _ = stream.read_to_end(&mut response);
        assert!(response.is_empty() || response.starts_with(b"HTTP/1.1 4"), "{}", String::from_utf8_lossy(&response));
        assert_eq!(get(watched.metrics, "/healthz").0, 200);
    }
    Raw::greeted(watched.serve.address).asks(1, b"still here");
}

/// A further connection ends the oldest, so silent ones keep nobody out, and each ends at its deadline.
#[test]
fn silent_clients_keep_nobody_out() {
    let watched = Watched::start(&[]);
    let began = Instant::now();
    let mut silent: Vec<Raw> = (0..100).map(|_| Raw::connect(watched.metrics)).collect();
    for _ in 0..3 {
        assert_eq!(get(watched.metrics, "/healthz").0, 200);
    }
    let mut slow = Raw::connect(watched.metrics);
    slow.send(b"GET /metrics HTTP/1.1\r\n");
    Raw::greeted(watched.serve.address).asks(1, b"still here");
    assert_eq!(silent.remove(0).rest(), b"", "the oldest");
    assert_eq!(slow.rest(), b"", "it has no answer");
    assert!(began.elapsed() >= Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(silent.iter_mut().all(|raw| raw.rest().is_empty()));
}

/// The descriptors of both ports are counted.
#[test]
fn metrics_need_descriptors() {
    let kid =
        Kid::spawn(&mut limited("ulimit -n 64", &["serve", "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0"]));
    let serve = Serve::by(kid);
    let metrics = metrics_address(&serve.kid);
    serve.kid.logs("connections at once instead of 1024");
    let clients: Vec<Raw> = (0..60).map(|_| Raw::connect(serve.address)).collect();
    let silent: Vec<Raw> = (0..16).map(|_| Raw::connect(metrics)).collect();
    assert_eq!(get(metrics, "/healthz").0, 200);
    drop((clients, silent));
}

#[test]
fn an_address_for_metrics_that_does_not_work_is_named() {
    let taken = Serve::start(&[]);
    let address = taken.address.to_string();
    for (given, exit, named) in [
        (&*address, 3, format!("echo-net: cannot listen on {address}: Address already in use")),
        ("no-such-host.invalid:1", 3, "echo-net: cannot listen on no-such-host.invalid:1: ".to_owned()),
        ("127.0.0.1:http", 2, "echo-net: --metrics http in 127.0.0.1:http is not a port".to_owned()),
    ] {
        let (code, out, err) = Kid::echo_net(&["serve", "--listen", "127.0.0.1:0", "--metrics", given]).finish();
        assert_eq!((code, out.as_str()), (Some(exit), ""), "{err}");
        assert!(err.starts_with(&named) && err.lines().count() == 1, "{err}");
    }
}

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}.json", std::process::id()))
}

#[test]
fn a_report_is_written_and_read_again() {
    let path = file("report");
    let serve = Serve::start(&["--deadline", "detect=50ms", "--report", path.to_str().expect("UTF-8")]);
    let mut slow = Raw::connect(serve.address);
    slow.send(&hello()[..1]);
    serve.kid.logs("ends: timed out (detect");
    drop(slow);
    let mut client = Raw::greeted(serve.address);
    client.asks(1, b"hello");
    client.ends_clean(1);
    let (code, line) = serve.drain();
    assert_eq!(code, Some(0));
    let text = std::fs::read_to_string(&path).expect("a report");
    std::fs::remove_file(&path).expect("it is there");
    let report: Report = serde_json::from_str(&text).expect("a report as JSON");
    assert_eq!(line, format!("served {report}"));
    assert_eq!((report.accepted, report.ended("clean"), report.requests.answered), (2, 1, 1), "{text}");
    assert_eq!(report.timed_out.get(&Deadline::Detect), Some(&1), "{text}");
    let again = serde_json::to_string(&report).expect("it is written");
    assert_eq!(serde_json::from_str::<Report>(&again).expect("it is read"), report);
    let error = serde_json::from_str::<Report>(&text.replace("\"clean\"", "\"dirty\"")).expect_err("no such outcome");
    assert!(error.to_string().contains("unknown variant `dirty`"), "{error}");
}

#[test]
fn a_report_that_cannot_be_written_is_a_failure() {
    let mut serve = Serve::start(&["--report", "/proc/no/such.json"]);
    serve.kid.signal("INT");
    assert_eq!(serve.kid.wait().code(), Some(1));
    let last = serve.kid.stderr().lines().last().unwrap_or_default().to_owned();
    assert!(last.starts_with("echo-net: failed: cannot write /proc/no/such.json: No such file"), "{last}");
}

/// A user of the library sees the calls that run, wait and fail.
#[tokio::test]
async fn calls_are_counted_while_they_run() {
    let gate = Arc::new(Semaphore::new(0));
    let opened = gate.clone();
    let service = service_fn(move |request: Request| {
        let gate = gate.clone();
        async move {
            drop(gate.acquire().await);
            match request.payload.as_slice() {
                b"panic" => panic!("a bug of the handler"),
                b"too much" => Ok::<_, Failure>(Response::new(vec![0; 100])),
                _ => Ok(Response::new(request.payload)),
            }
        }
    });
    let metrics = Metrics::default();
    let config = server_config(|config| {
        (config.max_calls, config.connection.limit) = (2, 64);
        config.metrics = Some(metrics.clone());
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let server = ServerTask::start(listener, service, config);
    let client = within(Client::connect(server.address, ClientConfig::default())).await.expect("it accepts");
    let mut answers = Vec::new();
    for payload in ["hello", "panic", "too much", "x"] {
        answers.push(within(client.submit(payload)).await.expect("it is open"));
    }
    let calls = || (metrics.read().running_calls, metrics.read().waiting_calls);
    within(async {
        while calls() != (2, 2) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!((metrics.read().open, metrics.read().report.accepted), (1, 1));
    opened.add_permits(1);
    let mut failed = 0;
    for answer in answers {
        failed += u32::from(matches!(within(answer.answer()).await, Err(RequestError::Failed(_))));
    }
    assert_eq!((failed, calls(), metrics.read().ended_calls), (2, (0, 0), 4));
    assert!(within(client.close()).await.end.is_clean());
    let report = server.drain().await;
    let last = metrics.read();
    assert_eq!((report.failed_requests, report.panicked_calls, report.messages), (2, 1, 4), "{report}");
    assert_eq!((last.report, last.open, last.draining, last.durations.count()), (report, 0, true, 1));
}

/// A configuration that serves again begins at zero.
#[tokio::test]
async fn each_server_begins_at_zero() {
    let config = server_config(|config| config.metrics = Some(Metrics::default()));
    for _ in 0..2 {
        let report = one_conversation(config.clone()).await;
        assert_eq!((report.accepted, report.ended("clean")), (1, 1), "{report}");
    }
}

async fn one_conversation(config: ServerConfig) -> Report {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let server = ServerTask::start(listener, echo_net::Echo, config);
    let client = within(Client::connect(server.address, ClientConfig::default())).await.expect("it accepts");
    assert!(within(client.close()).await.end.is_clean());
    server.drain().await
}
