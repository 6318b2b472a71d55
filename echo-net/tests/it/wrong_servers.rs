//! The library's client and servers that do not keep the contract: what becomes of each request.

use crate::support::raw::{self, Raw, Said};
use crate::support::server::{fake, swallow};
use crate::support::within;
use echo_net::echo_core::{CloseReason, Tally};
use echo_net::{Client, ClientConfig, Pending, RequestError};
use std::net::SocketAddr;
use std::time::Duration;

/// A client with three requests on their way.
async fn with_three(address: SocketAddr, config: ClientConfig) -> (Client, Vec<Pending>) {
    let client = within(Client::connect(address, config)).await.expect("something like a server");
    let mut pending = Vec::new();
    for message in ["one", "two", "three"] {
        pending.push(within(client.submit(message)).await.expect("it is open"));
    }
    (client, pending)
}

/// Waits for all answers and for the end. Each error names the outcome of the conversation.
async fn fates(client: &Client, pending: Vec<Pending>) -> Vec<Result<Vec<u8>, &'static str>> {
    let mut fates = Vec::new();
    for pending in pending {
        fates.push(within(pending).await.map(|answer| answer.payload));
    }
    let outcome = within(client.ended()).await;
    let name = |error: RequestError| {
        assert_eq!(error.outcome(), Some(&outcome));
        match error {
            RequestError::Refused { .. } => "refused",
            RequestError::Unknown { .. } => "unknown",
            other => panic!("{other}"),
        }
    };
    fates.into_iter().map(|fate| fate.map_err(name)).collect()
}

/// As a server: takes three requests.
fn takes_three(raw: &mut Raw) {
    raw.greets();
    for (seq, payload) in [(1, b"one".to_vec()), (2, b"two".to_vec()), (3, b"three".to_vec())] {
        assert_eq!(raw.hears(), Said::Echo { seq, payload });
    }
}

/// Clauses 6.2, 8.1: answer.
#[tokio::test]
async fn a_server_that_never_answers() {
    let (address, server) = fake(|mut raw| {
        takes_three(&mut raw);
        let word = raw.hears();
        assert_eq!(raw.hears(), Said::Fin);
        word
    });
    let mut config = ClientConfig::default();
    config.connection.deadlines.answer = Duration::from_millis(300);
    let (client, pending) = with_three(address, config).await;
    assert_eq!(fates(&client, pending).await, [const { Err("unknown") }; 3]);
    let outcome = within(client.ended()).await;
    assert_eq!(outcome.end.to_string(), "timed out (answer)");
    assert_eq!(outcome.account, Tally { answered: 0, refused: 0, unknown: 3 });
    match server.join().expect("no panic") {
        Said::Close { last: 0, code: 1008, reason, .. } => assert_eq!(reason, "answer deadline"),
        said => panic!("expected CLOSE 1008, got {said:?}"),
    }
}

/// Clause 7.2: above the count of the CLOSE, refused, whatever its code.
#[tokio::test]
async fn a_server_that_fails_and_says_how_far_it_came() {
    let (address, server) = fake(|mut raw| {
        takes_three(&mut raw);
        raw.send(&[raw::reply(1, b"one"), raw::close_with(2, 1011, "out of paper")].concat());
        assert_eq!(raw.hears(), Said::Fin, "no CLOSE upon an error: clause 5.6");
    });
    let (client, pending) = with_three(address, ClientConfig::default()).await;
    let expected = [Ok(b"one".to_vec()), Err("unknown"), Err("refused")];
    assert_eq!(fates(&client, pending).await, expected);
    let outcome = within(client.ended()).await;
    assert_eq!(outcome.end.to_string(), "failed (1011 internal error: out of paper)");
    assert_eq!(outcome.account, Tally { answered: 1, refused: 1, unknown: 1 });
    server.join().expect("no panic");
}

/// Clause 5.7: FIN before the CLOSE, as relays make of a crash, is never clean.
#[tokio::test]
async fn a_server_whose_fin_comes_without_a_close() {
    let (address, server) = fake(|mut raw| {
        takes_three(&mut raw);
        raw.send(&raw::reply(1, b"one"));
        raw.finish();
        assert!(matches!(raw.hears(), Said::Close { last: 1, code: 1002, .. }));
        assert_eq!(raw.hears(), Said::Fin);
    });
    let (client, pending) = with_three(address, ClientConfig::default()).await;
    let expected = [Ok(b"one".to_vec()), Err("unknown"), Err("unknown")];
    assert_eq!(fates(&client, pending).await, expected);
    let outcome = within(client.close()).await;
    assert_eq!(outcome.end.name(), "truncated");
    assert_eq!(outcome.account, Tally { answered: 1, refused: 0, unknown: 2 });
    server.join().expect("no panic");
}

#[tokio::test]
async fn a_server_that_resets() {
    let (address, server) = fake(|mut raw| {
        takes_three(&mut raw);
        socket2::SockRef::from(&raw.stream).set_linger(Some(Duration::ZERO)).expect("an option can be set");
    });
    let (client, pending) = with_three(address, ClientConfig::default()).await;
    assert_eq!(fates(&client, pending).await, [const { Err("unknown") }; 3]);
    let outcome = within(client.ended()).await;
    assert_eq!(outcome.end.name(), "reset");
    assert_eq!(outcome.account, Tally { answered: 0, refused: 0, unknown: 3 });
    server.join().expect("no panic");
}

/// Clause 5.3: a CLOSE that leaves answers owing is a violation.
#[tokio::test]
async fn a_server_that_says_close_too_early() {
    let (address, server) = fake(|mut raw| {
        takes_three(&mut raw);
        raw.send(&[raw::reply(1, b"one"), raw::close(3)].concat());
        assert!(matches!(raw.hears(), Said::Close { last: 1, code: 1002, .. }));
        swallow(raw);
    });
    let (client, pending) = with_three(address, ClientConfig::default()).await;
    let expected = [Ok(b"one".to_vec()), Err("unknown"), Err("unknown")];
    assert_eq!(fates(&client, pending).await, expected);
    let outcome = within(client.ended()).await;
    assert_eq!(outcome.end.to_string(), "violation (expected CLOSE 1 (the answers so far), got CLOSE 3)");
    server.join().expect("no panic");
}

/// Clause 4.6.
#[tokio::test]
async fn a_server_that_answers_out_of_order() {
    let (address, server) = fake(|mut raw| {
        takes_three(&mut raw);
        raw.send(&raw::reply(2, b"two"));
        assert!(matches!(raw.hears(), Said::Close { last: 0, code: 1002, .. }));
        swallow(raw);
    });
    let (client, pending) = with_three(address, ClientConfig::default()).await;
    assert_eq!(fates(&client, pending).await, [const { Err("unknown") }; 3]);
    assert_eq!(within(client.ended()).await.end.to_string(), "violation (expected answer 1, got answer 2)");
    server.join().expect("no panic");
}

/// Clause 5.1: the GOAWAY of a server is known however late one asks for it, and whatever came behind it.
#[tokio::test]
async fn a_goaway_is_not_lost_in_the_end_that_comes_with_it() {
    let ends: [(Vec<u8>, &str); 3] = [
        (raw::close(0), "clean (1000 normal)"),
        (raw::close_with(0, 1011, "out of paper"), "failed (1011 internal error: out of paper)"),
        (Vec::new(), "truncated"),
    ];
    for (end, expected) in ends {
        let (address, server) = fake(move |mut raw| {
            raw.greets();
            raw.send(&[raw::goaway(0), end].concat());
            raw.finish();
            swallow(raw);
        });
        let client = within(Client::connect(address, ClientConfig::default())).await.expect("something like a server");
        assert_eq!(within(client.ended()).await.end.to_string(), expected);
        assert_eq!(within(client.leaving()).await, Some(CloseReason::normal()), "{expected}");
        server.join().expect("no panic");
    }
}

/// Clause 5.1: an end without a GOAWAY is no leaving.
#[tokio::test]
async fn a_server_that_ends_without_a_goaway_was_not_leaving() {
    let (address, server) = fake(|mut raw| {
        raw.greets();
        raw.send(&raw::close_with(0, 1011, "out of paper"));
        swallow(raw);
    });
    let client = within(Client::connect(address, ClientConfig::default())).await.expect("something like a server");
    assert_eq!(within(client.leaving()).await, None);
    assert_eq!(within(client.ended()).await.end.name(), "failed");
    server.join().expect("no panic");
}
