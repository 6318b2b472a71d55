//! Services of the user's own: slow, broken and greedy ones.

use crate::support::raw::Raw;
use crate::support::server::{ServerTask, server_config};
use crate::support::within;
use echo_net::echo_core::{CloseCode, Failure};
use echo_net::{Client, ClientConfig, Metrics, Request, RequestError, Response, ServerConfig, Service, service_fn};
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore, mpsc};

pub(crate) async fn start(service: impl Service, config: ServerConfig) -> ServerTask {
    ServerTask::start(TcpListener::bind("127.0.0.1:0").await.expect("a free port"), service, config)
}

async fn connect(server: &ServerTask) -> Client {
    within(Client::connect(server.address, ClientConfig::default())).await.expect("the server accepts")
}

fn failed(answer: Result<echo_net::Answer, RequestError>) -> (u16, String) {
    match answer {
        Err(RequestError::Failed(failure)) => (failure.code.0, failure.text),
        other => panic!("expected a failure, got {other:?}"),
    }
}

/// Clause 5.8: requests of one client run at once, and their answers come in order.
#[tokio::test]
async fn a_slow_request_does_not_stop_the_next_one() {
    let second_ran = Arc::new(Notify::new());
    let service = service_fn(move |request: Request| {
        let second_ran = second_ran.clone();
        async move {
            match request.seq {
                1 => second_ran.notified().await,
                _ => second_ran.notify_one(),
            }
            Ok::<_, Failure>(Response::new(format!("{} of {}", request.seq, request.connection)))
        }
    });
    let server = start(service, ServerConfig::default()).await;
    let client = connect(&server).await;
    let first = client.submit("a").await.expect("it is open");
    let second = client.submit("b").await.expect("it is open");
    assert_eq!(within(first.answer()).await.expect("an answer").payload, b"1 of 1");
    assert_eq!(within(second.answer()).await.expect("an answer").payload, b"2 of 1");
    assert!(within(client.close()).await.end.is_clean());
    let report = server.drain().await;
    assert_eq!((report.messages, report.ended("clean")), (2, 1), "{report}");
}

/// Clause 4.10: a handler that panics, errs or answers too much fails its request, and nothing else.
#[tokio::test]
async fn a_broken_handler_fails_its_request_alone() {
    let service = service_fn(async |request: Request| match request.payload.as_slice() {
        b"panic" => panic!("a bug of the handler"),
        b"err" => Err(Failure::new(CloseCode(4004), "no such thing")),
        b"too much" => Ok(Response::new(vec![0; 100])),
        _ => Ok(Response::new(request.payload)),
    });
    let server = start(service, server_config(|config| config.connection.limit = 64)).await;
    let (client, other) = (connect(&server).await, connect(&server).await);
    let pending = ["panic", "err", "too much", "good"].map(|payload| client.submit(payload));
    let mut answers = Vec::new();
    for submitted in pending {
        answers.push(within(submitted).await.expect("it is open"));
    }
    let mut answers = answers.into_iter();
    let mut next = async || within(answers.next().expect("one of four").answer()).await;
    assert_eq!(failed(next().await), (1011, "the handler of the request panicked".to_owned()));
    assert_eq!(failed(next().await), (4004, "no such thing".to_owned()));
    assert_eq!(failed(next().await), (1009, "the response of 100 bytes is over the limit of 64".to_owned()));
    assert_eq!(next().await.expect("an answer").payload, b"good");
    assert_eq!(within(other.request("still here")).await.expect("an answer").payload, b"still here");
    let outcome = within(client.close()).await;
    assert_eq!((outcome.end.is_clean(), outcome.account.answered), (true, 4));
    assert!(within(other.close()).await.end.is_clean());
    let report = server.drain().await;
    assert_eq!((report.panicked_calls, report.panicked, report.ended("clean")), (1, 0, 2), "{report}");
    assert!(report.to_string().contains("1 call panicked"), "{report}");
}

/// A handler that never ends is dropped at its deadline.
#[tokio::test]
async fn a_handler_without_end_has_a_deadline() {
    let (dropped, mut drops) = mpsc::unbounded_channel();
    let service = service_fn(move |_: Request| {
        let guard = Guard(dropped.clone());
        async move {
            pending::<()>().await;
            drop(guard);
            Ok::<_, Failure>(Response::default())
        }
    });
    let server = start(service, server_config(|config| config.call_deadline = Duration::from_millis(50))).await;
    let client = connect(&server).await;
    let answer = within(client.request("x")).await;
    assert_eq!(failed(answer), (1011, "the request has no response within 50ms".to_owned()));
    within(drops.recv()).await.expect("its future is dropped");
    assert!(within(client.close()).await.end.is_clean());
    server.drain().await;
}

/// Tells of its drop.
struct Guard(mpsc::UnboundedSender<()>);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

/// A request whose client is gone is cancelled: nobody can be answered any more.
#[tokio::test]
async fn a_handler_is_dropped_when_its_client_is_gone() {
    let (dropped, mut drops) = mpsc::unbounded_channel();
    let (began, mut begins) = mpsc::unbounded_channel();
    let service = service_fn(move |_: Request| {
        let (guard, began) = (Guard(dropped.clone()), began.clone());
        async move {
            began.send(()).expect("the test waits");
            pending::<()>().await;
            drop(guard);
            Ok::<_, Failure>(Response::default())
        }
    });
    let server = start(service, ServerConfig::default()).await;
    let client = connect(&server).await;
    let pending = within(client.submit("x")).await.expect("it is open");
    within(begins.recv()).await.expect("the call begins");
    client.abort();
    assert!(matches!(within(pending.answer()).await, Err(RequestError::Unknown { .. })));
    within(drops.recv()).await.expect("its future is dropped");
    let report = server.drain().await;
    assert_eq!(report.ended("reset"), 1, "{report}");
}

/// The limit of one connection, [`Config::unanswered`](echo_net::echo_core::Config::unanswered).
#[tokio::test]
async fn a_client_does_not_get_more_calls_than_its_limit() {
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let seen = most.clone();
    let service = service_fn(move |_: Request| {
        let (running, most) = (running.clone(), most.clone());
        async move {
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            running.fetch_sub(1, Ordering::SeqCst);
            Ok::<_, Failure>(Response::default())
        }
    });
    let server = start(service, server_config(|config| config.connection.unanswered = 3)).await;
    let client = connect(&server).await;
    let mut answers = Vec::new();
    for _ in 0..100 {
        answers.push(within(client.submit("x")).await.expect("it is open"));
    }
    for answer in answers {
        within(answer.answer()).await.expect("an answer");
    }
    assert_eq!(seen.load(Ordering::SeqCst), 3);
    assert!(within(client.close()).await.end.is_clean());
    server.drain().await;
}

/// The limit of the server: a call waits for its place, and is not run if it waits too long.
#[tokio::test]
async fn calls_wait_for_a_place() {
    let gate = Arc::new(Semaphore::new(0));
    let opened = gate.clone();
    let ran = Arc::new(AtomicUsize::new(0));
    let count = ran.clone();
    let service = service_fn(move |_: Request| {
        let (gate, ran) = (gate.clone(), ran.clone());
        async move {
            ran.fetch_add(1, Ordering::SeqCst);
            drop(gate.acquire().await);
            Ok::<_, Failure>(Response::default())
        }
    });
    let config = server_config(|config| (config.max_calls, config.call_deadline) = (1, Duration::from_millis(500)));
    let server = start(service, config).await;
    let (one, two) = (connect(&server).await, connect(&server).await);
    let first = within(one.submit("x")).await.expect("it is open");
    let second = within(two.submit("x")).await.expect("it is open");
    // One has the place until its deadline. The other waits for half of that, and is not begun: it would have no time.
    let mut ends = [failed(within(first.answer()).await), failed(within(second.answer()).await)];
    ends.sort();
    assert_eq!(
        ends,
        [
            (1011, "the request has no response within 500ms".to_owned()),
            (1013, "the request did not run: the server had no place for it within 250ms".to_owned())
        ]
    );
    assert_eq!(count.load(Ordering::SeqCst), 1);
    opened.add_permits(1);
    assert!(within(one.request("x")).await.is_ok());
    assert!(within(two.request("x")).await.is_ok());
    assert_eq!(count.load(Ordering::SeqCst), 3);
    for client in [one, two] {
        assert!(within(client.close()).await.end.is_clean());
    }
    server.drain().await;
}

/// Clause 5.2: a drain waits for the answers.
#[tokio::test]
async fn a_drain_waits_for_slow_handlers() {
    let (began, mut begins) = mpsc::unbounded_channel();
    let gate = Arc::new(Semaphore::new(0));
    let opened = gate.clone();
    let service = service_fn(move |_: Request| {
        let (gate, began) = (gate.clone(), began.clone());
        async move {
            began.send(()).expect("the test waits");
            drop(gate.acquire().await);
            Ok::<_, Failure>(Response::new("late"))
        }
    });
    let server = start(service, ServerConfig::default()).await;
    let client = connect(&server).await;
    let answer = within(client.submit("x")).await.expect("it is open");
    within(begins.recv()).await.expect("the call begins");
    let draining = tokio::spawn(server.drain());
    within(client.leaving()).await.expect("the server asks the client to leave");
    opened.add_permits(1);
    assert_eq!(within(answer.answer()).await.expect("an answer").payload, b"late");
    assert!(within(client.ended()).await.end.is_clean());
    let report = within(draining).await.expect("no panic");
    assert_eq!((report.ended("clean"), report.messages), (1, 1), "{report}");
}

/// What calls hold is memory of their connections.
#[tokio::test]
async fn requests_in_calls_count_as_memory() {
    const CLIENTS: usize = 40;
    const LONG: usize = 1024 * 1024;
    let running = Arc::new(AtomicUsize::new(0));
    let count = running.clone();
    let service = service_fn(move |_: Request| {
        count.fetch_add(1, Ordering::SeqCst);
        pending::<Result<Response, Failure>>()
    });
    let config = server_config(|config| config.max_memory = 16 * LONG);
    let server = start(service, config).await;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let client = connect(&server).await;
        let request = within(client.submit(vec![0; LONG])).await.expect("it is open");
        clients.push((client, request));
    }
    let mut refused = 0;
    for (client, _) in &clients {
        if let Ok(outcome) = tokio::time::timeout(Duration::from_secs(2), client.ended()).await {
            assert_eq!(
                outcome.end.to_string(),
                "failed (1013 try again later, try again later: the server's memory is used up)"
            );
            refused += 1;
        } else {
            break;
        }
    }
    let held = running.load(Ordering::SeqCst);
    assert!(held <= 16 + refused, "{held} calls hold 1 MiB each, {refused} of them were ended");
    for (client, _) in &clients {
        client.abort();
    }
    server.drain().await;
}

/// A request and its answer need no more memory than [`ServerConfig::least_memory`] allows.
#[tokio::test]
async fn the_least_memory_is_enough() {
    let service = service_fn(async |request: Request| Ok::<_, Failure>(Response::new(request.payload)));
    let config = server_config(|config| config.max_memory = config.least_memory());
    let long = config.connection.limit;
    let server = start(service, config).await;
    let client = connect(&server).await;
    for _ in 0..20 {
        assert_eq!(within(client.request(vec![1; long])).await.expect("an answer").payload.len(), long);
    }
    assert!(within(client.close()).await.end.is_clean());
    server.drain().await;
}

/// Clauses 2.1, 2.5 and 4.10: the plain wire, with a last line that FIN cuts off.
#[test]
fn plain_lines_are_requests() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let service = service_fn(async |request: Request| match request.payload.as_slice() {
        b"bad\n" => Err(Failure::new(CloseCode(4000), "not this")),
        line => Ok(Response::new(line.to_ascii_uppercase())),
    });
    let server = runtime.block_on(start(service, ServerConfig::default()));
    let mut client = Raw::connect(server.address);
    client.send(b"one\nbad\nlast");
    client.finish();
    let said = String::from_utf8(client.rest()).expect("UTF-8");
    let lines: Vec<_> = said.split('\n').map(|line| line.split("] ").last().unwrap_or_default()).collect();
    assert_eq!(lines, ["ONE", "echo: not this", "LAST"]);
    drop(client);
    let report = runtime.block_on(server.drain());
    assert_eq!((report.ended("unproven"), report.messages), (1, 3), "{report}");
}

/// Clause 5.2: in a drain a call has a deadline of its own, before the one at which the connection is aborted. What ended
/// behind it is answered.
#[tokio::test]
async fn a_call_that_never_ends_fails_in_a_drain_and_holds_up_no_other() {
    let service = service_fn(async |request: Request| match request.seq {
        1 => pending().await,
        _ => Ok::<_, Failure>(Response::new(request.payload)),
    });
    let server = start(service, server_config(|config| config.ending_call_deadline = Duration::from_millis(100))).await;
    let client = connect(&server).await;
    let first = client.submit("for ever").await.expect("it is open");
    let second = client.submit("at once").await.expect("it is open");
    let report = server.drain().await;
    let reason = "the request has no response within 100ms of the ending".to_owned();
    assert_eq!(failed(within(first.answer()).await), (1011, reason));
    assert_eq!(within(second.answer()).await.expect("an answer").payload, b"at once");
    assert!(within(client.ended()).await.end.is_clean());
    assert_eq!((report.ended("clean"), report.failed_requests), (1, 1), "{report}");
}

/// Whoever is too slow is told whether it was the call or the queue.
#[tokio::test]
async fn a_call_that_waited_for_its_place_says_so() {
    let (begun, go) = (Arc::new(Notify::new()), Arc::new(Semaphore::new(0)));
    let (begins, goes) = (begun.clone(), go.clone());
    let service = service_fn(move |request: Request| {
        let (begins, goes) = (begins.clone(), goes.clone());
        async move {
            if request.payload == b"first" {
                begins.notify_one();
                drop(goes.acquire().await);
                return Ok::<_, Failure>(Response::new("done"));
            }
            pending().await
        }
    });
    let metrics = Metrics::default();
    let config = server_config(|config| {
        (config.max_calls, config.call_deadline) = (1, Duration::from_millis(600));
        config.metrics = Some(metrics.clone());
    });
    let server = start(service, config).await;
    let client = connect(&server).await;
    let first = client.submit("first").await.expect("it is open");
    within(begun.notified()).await;
    let second = client.submit("second").await.expect("it is open");
    while metrics.read().waiting_calls == 0 {
        tokio::task::yield_now().await;
    }
    go.add_permits(1);
    within(first.answer()).await.expect("an answer");
    let (code, reason) = failed(within(second.answer()).await);
    let begin = "the request has no response within 600ms, after it had waited ";
    assert!(code == 1011 && reason.starts_with(begin) && reason.ends_with(" for its place"), "{code} {reason}");
    server.drain().await;
}
