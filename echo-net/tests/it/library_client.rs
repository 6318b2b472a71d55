//! The library's client with the library's server.

use crate::support::server::{ClosedPort, Server, server_config};
use crate::support::{eventually, within};
use echo_net::echo_core::{CloseCode, Deadline, End, Role};
use echo_net::{Client, ClientConfig, ConnectError, RequestError, ServerConfig};
use std::future::{Future, poll_fn};
use std::task::Poll;
use std::time::Duration;

async fn connect(server: &Server) -> Client {
    within(Client::connect(server.address, ClientConfig::default())).await.expect("the server accepts")
}

/// Clauses 3.1–3.3, 4.6.
#[tokio::test]
async fn requests_from_clones_are_answered_in_order_with_their_stamps() {
    const CLONES: u64 = 4;
    const EACH: u64 = 250;
    let server = Server::start(ServerConfig::default());
    let client = connect(&server).await;
    let tasks: Vec<_> = (0..CLONES)
        .map(|clone| {
            let client = client.clone();
            tokio::spawn(async move {
                let mut answers = Vec::new();
                for number in 0..EACH {
                    let message = format!("{clone}/{number}");
                    answers.push((client.submit(message.clone()).await.expect("it is open"), message));
                }
                let mut seqs = Vec::new();
                for (pending, message) in answers {
                    let answer = pending.answer().await.expect("an answer");
                    assert_eq!(answer.payload, message.as_bytes());
                    let stamps = answer.stamps;
                    assert!(stamps.t1 <= stamps.t4 && stamps.t2 <= stamps.t3, "{stamps:?}");
                    let second = 1_000_000_000;
                    assert!((0..30 * second).contains(&stamps.delay()), "{stamps:?}");
                    // Both use one clock, so the offset is below the delay. The margin allows for a clock that is set.
                    assert!(stamps.offset().abs() <= stamps.delay() / 2 + second, "{stamps:?}");
                    seqs.push(answer.seq);
                }
                assert!(seqs.is_sorted(), "a clone's requests go out in its order");
                seqs
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.extend(within(task).await.expect("no panic"));
    }
    all.sort_unstable();
    assert_eq!(all, (1..=CLONES * EACH).collect::<Vec<_>>(), "every number once: clause 4.6");
    let outcome = within(client.close()).await;
    assert_eq!((outcome.end.name(), outcome.account.answered), ("clean", CLONES * EACH));
    assert_eq!(server.drain().messages, CLONES * EACH);
}

/// Clause 7.1: all clones get the same, single outcome.
#[tokio::test]
async fn several_clones_that_close_get_one_outcome() {
    let server = Server::start(ServerConfig::default());
    let client = connect(&server).await;
    let pending = client.submit("under way").await.expect("it is open");
    let closes: Vec<_> = (0..5).map(|_| client.clone()).map(|c| tokio::spawn(async move { c.close().await })).collect();
    let outcome = within(client.ended()).await;
    assert_eq!((outcome.end.name(), outcome.account.answered), ("clean", 1));
    for close in closes {
        assert_eq!(within(close).await.expect("no panic"), outcome);
    }
    assert_eq!(within(client.close()).await, outcome, "and later calls too");
    assert_eq!(within(pending.answer()).await.expect("answered before CLOSE").payload, b"under way");
    assert_eq!(server.drain().ended("clean"), 1);
}

/// Clause 6.4.
#[tokio::test]
async fn a_request_after_the_end_is_refused_at_once() {
    let server = Server::start(ServerConfig::default());
    let client = connect(&server).await;
    let outcome = within(client.close()).await;
    let refused = RequestError::Refused { outcome: Some(outcome.clone()) };
    assert_eq!(within(client.request("too late")).await, Err(refused.clone()));
    assert_eq!(within(client.submit("too late")).await.err(), Some(refused.clone()));
    assert_eq!(refused.to_string(), "the request did not run: the conversation ended in order (1000 normal)");
    assert_eq!(within(client.ended()).await, outcome, "nothing changed");
    assert_eq!(server.drain().messages, 0);
}

/// Clauses 5.1–5.3: queued requests are answered, and the server's end is clean.
#[tokio::test]
async fn dropping_the_last_handle_closes_politely() {
    let server = Server::start(ServerConfig::default());
    let client = connect(&server).await;
    let pending: Vec<_> = [client.submit("one").await, client.clone().submit("two").await].into();
    drop(client);
    for pending in pending {
        assert!(within(pending.expect("it was open").answer()).await.is_ok());
    }
    let report = settled(server).await;
    assert_eq!((report.ended("clean"), report.messages), (1, 2), "{report}");
}

/// Clause 9.3.
#[tokio::test]
async fn abort_is_a_reset_at_the_server() {
    let server = Server::start(ServerConfig::default());
    let client = connect(&server).await;
    within(client.request("one")).await.expect("an answer");
    client.abort();
    let outcome = within(client.ended()).await;
    assert_eq!((outcome.end.name(), outcome.account.answered), ("reset", 1));
    let report = settled(server).await;
    assert_eq!((report.ended("reset"), report.ended("clean")), (1, 0), "{report}");
}

/// Clause 5.4: the server's setting decides.
#[tokio::test]
async fn time_wait_is_on_the_side_that_the_setting_names() {
    for (first_fin, at_server) in [(Role::Client, 0), (Role::Server, 1)] {
        let mut config = ServerConfig::default();
        config.connection.first_fin = first_fin;
        let server = Server::start(config);
        let client = connect(&server).await;
        within(client.request("one")).await.expect("an answer");
        assert_eq!(within(client.close()).await.end.name(), "clean");
        let port = server.address.port();
        let all = || server.sockets();
        eventually("TIME_WAIT at one side", || all().time_waits() == 1);
        assert_eq!(all().time_wait_at(port).len(), at_server, "{first_fin:?}");
        assert_eq!(all().half_closed(), 0);
        assert_eq!(server.drain().ended("clean"), 1);
    }
}

#[tokio::test]
async fn connect_tries_all_addresses() {
    let server = Server::start(ServerConfig::default());
    let port = ClosedPort::new();
    let closed = port.address;
    let both = [closed, server.address];
    let client = within(Client::connect(both.as_slice(), ClientConfig::default())).await.expect("the second accepts");
    assert_eq!(within(client.close()).await.end.name(), "clean");
    assert_eq!(server.drain().ended("clean"), 1);

    match within(Client::connect([closed, closed].as_slice(), ClientConfig::default())).await {
        Err(ConnectError::Refused(tried)) => assert_eq!(tried.len(), 2, "each with its reason"),
        other => panic!("{other:?}"),
    }
}

/// Clause 5.8: dropping the future of a request changes no account, also while the request waits for the queue.
#[tokio::test]
async fn dropping_the_future_of_a_request_changes_nothing() {
    const DROPPED: u64 = 100;
    let server = Server::start(ServerConfig::default());
    let client = connect(&server).await;
    drop(client.submit("token dropped").await.expect("it is open"));
    for number in 0..DROPPED {
        // Nothing else runs in between, so the queue fills up.
        let request = std::pin::pin!(client.request(number.to_string()));
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(std::future::Future::poll(request, &mut cx).is_pending());
    }
    let never_polled = client.request("a request that is not made");
    drop(never_polled);
    assert_eq!(within(client.request("the last")).await.map(|answer| answer.seq), Ok(DROPPED + 2));
    assert_eq!(within(client.close()).await.account.answered, DROPPED + 2);
    assert_eq!(server.drain().messages, DROPPED + 2);
}

/// A submit to a full queue waits until there is room.
#[tokio::test]
async fn a_full_queue_makes_those_wait_who_add_to_it() {
    let server = Server::start(ServerConfig::default());
    let client = connect(&server).await;
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let mut submitted: Vec<_> = (0..20).map(|_| Box::pin(client.submit("x"))).collect();
    let ready = submitted.iter_mut().filter_map(|submit| match std::future::Future::poll(submit.as_mut(), &mut cx) {
        std::task::Poll::Ready(pending) => Some(pending.expect("it is open")),
        std::task::Poll::Pending => None,
    });
    assert_eq!(ready.count(), 16, "as many as have a place");
    for submit in submitted.split_off(16) {
        assert!(within(within(submit).await.expect("taken in the end").answer()).await.is_ok());
    }
    assert_eq!(within(client.close()).await.account.answered, 20);
    assert_eq!(server.drain().messages, 20);
}

/// Clauses 5.1, 5.13: the server drains while requests are in flight; all are answered, and both ends are clean.
#[tokio::test]
async fn a_server_that_drains_answers_what_is_under_way() {
    let close_reason = echo_net::echo_core::CloseReason::new(CloseCode::RESTART, "back soon");
    let server = Server::start(server_config(|config| config.close_reason = close_reason));
    let client = connect(&server).await;
    within(client.request("before")).await.expect("an answer");
    let asker = {
        let client = client.clone();
        tokio::spawn(async move {
            let mut answered = 1;
            loop {
                match client.request("again").await {
                    Ok(_) => answered += 1,
                    Err(error) => return (answered, error),
                }
            }
        })
    };
    let drain = tokio::task::spawn_blocking(|| server.drain());
    let close_reason = within(client.leaving()).await;
    if let Some(close_reason) = close_reason {
        assert_eq!((close_reason.code, close_reason.text.as_str()), (CloseCode::RESTART, "back soon"));
    }
    let (answered, error) = within(asker).await.expect("no panic");
    assert!(matches!(error, RequestError::Refused { .. }), "no request is in doubt: {error}");
    let outcome = within(client.ended()).await;
    assert_eq!(outcome.end.to_string(), "clean (1012 restart)");
    assert_eq!((outcome.account.answered, outcome.account.unknown), (answered, 0));
    let report = within(drain).await.expect("no panic");
    assert_eq!((report.ended("clean"), report.messages), (1, answered), "{report}");
}

/// Waits until the server's one connection has ended by itself, so that draining has no effect on it.
async fn settled(server: Server) -> echo_net::Report {
    let half = Duration::from_millis(2);
    let sockets = || server.sockets().established();
    within(async {
        while sockets() > 0 {
            tokio::time::sleep(half).await;
        }
    })
    .await;
    tokio::task::spawn_blocking(|| server.drain()).await.expect("no panic")
}

/// A task of tokio that does much in one poll is told to wait whatever it polls. Its deadlines still pass.
#[tokio::test(start_paused = true)]
async fn deadlines_pass_although_the_first_poll_did_much() {
    let (stream, _silent) = tokio::io::duplex(64 * 1024);
    let client = Client::start(stream, ClientConfig::default());
    let mut requests: Vec<_> = (0..200).map(|_| Box::pin(client.submit("x"))).collect();
    poll_fn(|cx| {
        for request in &mut requests {
            let _ = request.as_mut().poll(cx);
        }
        Poll::Ready(())
    })
    .await;
    let outcome = within(client.ended()).await;
    assert_eq!(outcome.end, End::TimedOut(Deadline::Connect));
}
