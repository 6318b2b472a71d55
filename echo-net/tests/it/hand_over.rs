//! A server takes over the port of another one while clients go on.

use crate::support::program::{ECHO_NET, Kid, Serve};
use crate::support::raw::Raw;
use crate::support::server::{ServerTask, server_config};
use crate::support::within;
use echo_net::echo_core::{End, Failure};
use echo_net::{
    Client, ClientConfig, Ended, OnEnd, Request, Response, RetryClient, RetryConfig, Service, TcpListeners, service_fn,
};
use std::net::SocketAddr;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

const HAND_OVERS: u64 = 20;
/// Requests that are answered between two of them.
const BETWEEN: u64 = 200;
const USERS: u64 = 4;

async fn start(address: SocketAddr, service: impl Service, ended: &Arc<Mutex<Vec<Ended>>>) -> ServerTask {
    let listeners = TcpListeners::bind_shared(address).await.expect("the port is shared");
    let witness = ended.clone();
    let on_end = OnEnd::call(move |ended| witness.lock().expect("no panic").push(ended.clone()));
    ServerTask::start(listeners, service, server_config(|config| config.on_end = on_end))
}

/// No request is lost, runs twice, or is unknown, and every connection that sent one ends clean.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_hand_overs_under_load_lose_nothing() {
    let (ran, answered) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let ended = Arc::default();
    let count = ran.clone();
    let service = Arc::new(service_fn(move |request: Request| {
        let count = count.clone();
        async move {
            count.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            Ok::<_, Failure>(Response::new(request.payload))
        }
    }));
    let mut server = start(([127, 0, 0, 1], 0).into(), service.clone(), &ended).await;
    let address = server.address;
    let users: Vec<_> = (0..USERS)
        .map(|user| {
            let answered = answered.clone();
            let connect = move || Client::connect(address, ClientConfig::default());
            tokio::spawn(async move {
                let client = RetryClient::new(connect, RetryConfig::default());
                let mut number = 0;
                while answered.load(Ordering::SeqCst) < (HAND_OVERS + 1) * BETWEEN {
                    let message = format!("{user}/{number}");
                    let answer = client.request(message.clone()).await.expect("answered, or refused and sent again");
                    assert_eq!(answer.payload, message.as_bytes());
                    answered.fetch_add(1, Ordering::SeqCst);
                    number += 1;
                }
                let outcome = client.close().await.expect("there is a connection");
                assert!(outcome.end.is_clean(), "{outcome}");
                number
            })
        })
        .collect();
    let mut reports = Vec::new();
    for part in 1..=HAND_OVERS {
        while answered.load(Ordering::SeqCst) < part * BETWEEN {
            tokio::task::yield_now().await;
        }
        let next = start(address, service.clone(), &ended).await;
        reports.push(std::mem::replace(&mut server, next).drain().await);
    }
    let mut asked = 0;
    for user in users {
        asked += within(user).await.expect("no request is unknown");
    }
    reports.push(server.drain().await);
    assert_eq!(ran.load(Ordering::SeqCst), asked, "each ran once");
    assert_eq!(reports.iter().map(|report| report.messages).sum::<u64>(), asked);
    for ended in ended.lock().expect("no panic").iter() {
        // A connection that was just accepted is asked to leave before its preface is read, or before the client has
        // seen the server's. The client makes another one then, and has sent no request on this one.
        let is_early = matches!(ended.outcome.end, End::Truncated | End::Unproven) && ended.traffic.messages == 0;
        assert!(ended.outcome.end.is_clean() || is_early, "{ended:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_program_shares_its_port_if_it_is_told_to() {
    let first = Serve::start(&["--reuse-port"]);
    let address = first.address.to_string();
    let mut old = Raw::greeted(first.address);
    old.asks(1, b"to the first");
    let alone = Kid::echo_net(&["serve", "--listen", &address]).finish();
    assert_eq!(alone.0, Some(3), "another one has to be told, too: {}", alone.2);
    let second = Serve::of(Command::new(ECHO_NET).args(["serve", "--listen", &address, "--reuse-port"]));
    let (code, report) = {
        let draining = std::thread::spawn(move || first.drain());
        assert!(matches!(old.hears(), crate::support::raw::Said::GoAway { .. }));
        old.ends_clean_as(1, 1001);
        draining.join().expect("no panic")
    };
    assert_eq!(code, Some(0));
    assert!(report.contains("1 clean"), "{report}");
    let mut new = Raw::greeted(second.address);
    new.asks(1, b"to the second");
    new.ends_clean(1);
    let (code, report) = second.drain();
    assert_eq!(code, Some(0));
    assert!(report.contains("1 clean"), "{report}");
}
