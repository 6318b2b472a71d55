//! A server's user is told of each end, with the whole outcome.

use crate::support::server::{Server, server_config};
use crate::support::within;
use echo_net::echo_core::End;
use echo_net::{Client, ClientConfig, Ended, OnEnd};
use std::sync::{Arc, Mutex};

/// Clause 7.1: each connection has exactly one outcome, and the user is given it.
#[tokio::test]
async fn every_end_is_told_once_with_its_account() {
    let ends: Arc<Mutex<Vec<Ended>>> = Arc::default();
    let witness = ends.clone();
    let on_end = OnEnd::call(move |ended| witness.lock().expect("no panic").push(ended.clone()));
    let server = Server::start(server_config(|config| config.on_end = on_end));
    for messages in 1..=2 {
        let client = within(Client::connect(server.address, ClientConfig::default())).await.expect("it accepts");
        for _ in 0..messages {
            within(client.request("hello")).await.expect("an answer");
        }
        within(client.close()).await;
    }
    server.drain();
    let mut ends = ends.lock().expect("no panic").clone();
    ends.sort_by_key(|ended| ended.number);
    assert_eq!(ends.len(), 2);
    for (ended, number) in ends.iter().zip(1..) {
        assert_eq!((ended.number, ended.refused), (number, false));
        assert!(matches!(ended.outcome.end, End::Clean(_)), "{}", ended.outcome);
        assert_eq!(
            (ended.outcome.account.answered, ended.traffic.messages, ended.traffic.bytes),
            (number, number, 5 * number)
        );
    }
}

/// A call that panics ends no conversation, and is counted.
#[tokio::test]
async fn a_panic_of_the_users_ends_no_conversation() {
    let on_end = OnEnd::call(|ended| assert_ne!(ended.number, 2, "the user's own mistake"));
    let server = Server::start(server_config(|config| config.on_end = on_end));
    let connect = || async { within(Client::connect(server.address, ClientConfig::default())).await };
    let first = connect().await.expect("it accepts");
    let second = connect().await.expect("it accepts");
    assert_eq!(within(second.close()).await.end.name(), "clean");
    let third = connect().await.expect("it still accepts");
    for client in [first, third] {
        assert_eq!(within(client.request("hello")).await.map(|answer| answer.payload), Ok(b"hello".to_vec()));
        assert_eq!(within(client.close()).await.end.name(), "clean");
    }
    let report = server.drain_with(1);
    assert_eq!((report.ended("clean"), report.panicked), (3, 1), "{report}");
}
