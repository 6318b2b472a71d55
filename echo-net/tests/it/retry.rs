//! A client that sends what was refused again: what it sends, what it counts, and what it says.

use crate::service::start;
use crate::support::server::server_config;
use crate::support::within;
use echo_net::echo_core::{CloseCode, Failure, Tally};
use echo_net::{Client, ClientConfig, Request, Response, RetryClient, RetryConfig, ServerConfig, service_fn};
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// What was refused is sent again, to whichever server is there, and nothing is sent twice.
#[tokio::test]
async fn what_was_refused_is_sent_again() {
    let ran = Arc::new(AtomicUsize::new(0));
    let counted = ran.clone();
    let service = Arc::new(service_fn(move |request: Request| {
        let ran = ran.clone();
        async move {
            ran.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            Ok::<_, Failure>(Response::new(request.payload))
        }
    }));
    let address = Arc::new(std::sync::Mutex::new(None));
    let mut server = start(service.clone(), ServerConfig::default()).await;
    *address.lock().expect("no panic") = Some(server.address);
    let known = address.clone();
    let reconnect = move || {
        let address = known.lock().expect("no panic").expect("there is a server");
        Client::connect(address, ClientConfig::default())
    };
    let mut config = RetryConfig::default();
    config.attempts = 20;
    let client = Arc::new(RetryClient::new(reconnect, config));
    let asked = Arc::new(AtomicUsize::new(0));
    let users: Vec<_> = (0..4)
        .map(|user| {
            let (client, asked) = (client.clone(), asked.clone());
            tokio::spawn(async move {
                for number in 0..500 {
                    let message = format!("{user}/{number}");
                    let answer = client.request(message.clone()).await.expect("answered by one server or another");
                    assert_eq!(answer.payload, message.as_bytes());
                    asked.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    let mut reports = Vec::new();
    for part in 1..=5 {
        while asked.load(Ordering::SeqCst) < 300 * part {
            tokio::task::yield_now().await;
        }
        let next = start(service.clone(), ServerConfig::default()).await;
        *address.lock().expect("no panic") = Some(next.address);
        reports.push(std::mem::replace(&mut server, next).drain().await);
    }
    for user in users {
        within(user).await.expect("no panic");
    }
    let outcome = within(client.close()).await.expect("there is a connection");
    assert!(outcome.end.is_clean());
    reports.push(server.drain().await);
    assert_eq!(counted.load(Ordering::SeqCst), 4 * 500, "each ran once");
    assert_eq!(reports.iter().map(|report| report.messages).sum::<u64>(), 4 * 500);
    assert!(reports.iter().all(|report| report.ended("clean") == report.accepted), "{reports:?}");
}

/// The account is that of the requests, not of the attempts. A request that nobody waits for any more is unknown.
#[tokio::test]
async fn the_account_of_a_client_that_reconnects() {
    let begun = Arc::new(Notify::new());
    let begins = begun.clone();
    let service = service_fn(move |request: Request| {
        let begins = begins.clone();
        async move {
            match request.payload.as_slice() {
                b"fail" => Err(Failure { code: CloseCode(1011), text: "as asked".into() }),
                b"never" => {
                    begins.notify_one();
                    pending().await
                }
                _ => Ok(Response::new(request.payload)),
            }
        }
    });
    let server = start(service, server_config(|config| config.ending_call_deadline = Duration::from_millis(50))).await;
    let address = server.address;
    let mut config = RetryConfig::default();
    (config.attempts, config.pause) = (2, Duration::from_millis(1));
    let mut small = ClientConfig::default();
    small.connection.limit = 10;
    let client = RetryClient::new(move || Client::connect(address, small), config);
    within(client.request("a")).await.expect("an answer");
    within(client.request("fail")).await.expect_err("a failure");
    within(client.request("much too long")).await.expect_err("it is too big");
    tokio::select! { biased;
        answer = client.request("never") => panic!("{answer:?}"),
        () = within(begun.notified()) => (),
    }
    assert_eq!(client.account(), Tally { answered: 2, refused: 1, unknown: 1 });
    server.drain().await;
    let error = within(client.request("too late")).await.expect_err("there is no server");
    assert!(error.to_string().starts_with(&format!("the request did not run: {address}: ")), "{error}");
    assert!(std::error::Error::source(&error).is_none(), "its text is complete");
    assert_eq!(client.clone().account(), Tally { answered: 2, refused: 2, unknown: 1 });
    (config.attempts, config.pause) = (2, Duration::from_secs(60));
    let patient = RetryClient::new(move || Client::connect(address, small), config);
    let dropped = tokio::time::timeout(Duration::from_millis(200), patient.request("never sent"));
    dropped.await.expect_err("it pauses before its second attempt");
    assert_eq!(patient.account(), Tally { answered: 0, refused: 1, unknown: 0 });
    config.deadline = Duration::from_millis(200);
    let hasty = RetryClient::new(move || Client::connect(address, small), config);
    let error = within(hasty.request("never sent")).await.expect_err("there is no server").to_string();
    let expected = "the request did not run: no answer within 200ms; the attempt before: ";
    assert!(error.starts_with(&format!("{expected}{address}: ")), "{error}");
    assert_eq!(hasty.account(), Tally { answered: 0, refused: 1, unknown: 0 });
}

/// Clause 6.2: what one server refuses for its length, it refuses on each connection.
#[tokio::test]
async fn a_request_over_the_limit_of_the_server_is_not_sent_again() {
    let config = server_config(|config| config.connection.limit = 10);
    let server =
        start(service_fn(async |request: Request| Ok::<_, Failure>(Response::new(request.payload))), config).await;
    let address = server.address;
    let connect = move || Client::connect(address, ClientConfig::default());
    let client = RetryClient::new(connect, RetryConfig::default());
    let error = within(client.request("longer than ten bytes")).await.expect_err("it is too long");
    assert!(error.to_string().contains("1009"), "{error}");
    assert_eq!(server.drain().await.accepted, 1, "one attempt");
}

/// A user of this client has no connection to ask why.
#[tokio::test]
async fn a_refusal_by_a_full_server_says_why() {
    let server = start(
        service_fn(async |_: Request| pending::<Result<Response, Failure>>().await),
        server_config(|config| config.max_connections = 0),
    )
    .await;
    let address = server.address;
    let mut config = RetryConfig::default();
    config.attempts = 1;
    for _ in 0..5 {
        let client = RetryClient::new(move || Client::connect(address, ClientConfig::default()), config);
        let error = within(client.request("hello")).await.expect_err("it is full");
        assert!(error.to_string().contains("all 0 connections are in use"), "{error}");
    }
    server.drain().await;
}

/// A request that was sent when its deadline passed may have run.
#[tokio::test]
async fn a_deadline_of_a_request_that_was_sent() {
    let service = service_fn(async |_: Request| pending::<Result<Response, Failure>>().await);
    let server = start(service, server_config(|config| config.ending_call_deadline = Duration::from_millis(50))).await;
    let address = server.address;
    let mut config = RetryConfig::default();
    config.deadline = Duration::from_millis(200);
    let client = RetryClient::new(move || Client::connect(address, ClientConfig::default()), config);
    let error = within(client.request("hello")).await.expect_err("no answer").to_string();
    assert_eq!(error, "the request may have run: no answer within 200ms");
    assert_eq!(client.account(), Tally { answered: 0, refused: 0, unknown: 1 });
    server.drain().await;
}
