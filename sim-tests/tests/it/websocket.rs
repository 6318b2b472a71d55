//! tokio-tungstenite on every network: what its closing handshake proves, and what not.

#[path = "../../examples/websocket.rs"]
mod example;

use self::example::{MESSAGES, Manner, Word, networks, trial};
use futures_util::{SinkExt, StreamExt};
use sim_tests::trial::{FindingKind, Trial, TrialNetwork, TrialRun, TrialStream};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::Message;
use tokio_tungstenite::{accept_async, client_async};

/// A client that closes after the last answer acknowledges it by its CLOSE, and the results of both sides are right. If
/// a client closes right after its last message, its own result is right; but the server takes the conversation for
/// complete as soon as its answers are written.
#[test]
fn closing_at_once_proves_nothing_to_the_server() {
    let [(_, answered), (_, clients), (_, both)] = example::reports();
    assert!(answered.is_clean(), "{answered}");
    assert!(answered.distinct > 300, "{answered}");
    assert!(clients.is_clean(), "{clients}");
    let [failure] = &both.failures[..] else { panic!("{both}") };
    assert_eq!(failure.finding.what, "the server says complete, and the client has not read all of its answers");
    assert_eq!(failure.networks(), networks().into_iter().collect::<BTreeSet<_>>());
    assert_eq!(failure.scenario.to_string(), "client:vanish@6/clear");
}

/// Masks and keys are random, but only their sizes have an effect.
#[test]
fn it_is_deterministic() {
    let report =
        trial(Manner::Answered, Word::Both).networks(&[TrialNetwork::Clear, TrialNetwork::RelayCutsOff]).strict().run();
    assert!(report.is_clean(), "{report}");
}

/// tungstenite rejects a handshake that arrives in many small reads.
#[test]
fn one_byte_at_a_time_is_an_attack() {
    let run = example::byte_by_byte();
    assert!(run.server.to_string().contains("Attack attempt detected"), "{}", run.ladder());
}

/// Uses `while let Some(Ok(message))`, a common loop that takes every error for the end.
async fn careless(stream: TrialStream) -> Option<usize> {
    let talk = async {
        let (mut socket, _) = client_async("ws://server/", stream).await.ok()?;
        for number in 1..=MESSAGES {
            socket.send(Message::text(format!("message {number}"))).await.ok()?;
        }
        let mut answers = 0;
        while let Some(Ok(message)) = socket.next().await {
            answers += usize::from(message.is_text());
        }
        Some(answers)
    };
    timeout(Duration::from_secs(5), talk).await.ok()?
}

/// Answers all messages, and closes.
async fn server(stream: TrialStream) {
    let talk = async {
        let Ok(mut socket) = accept_async(stream).await else { return };
        for _ in 1..=MESSAGES {
            match socket.next().await {
                Some(Ok(message)) => {
                    if socket.send(message).await.is_err() {
                        return;
                    }
                }
                Some(Err(_)) | None => return,
            }
        }
        // It does not matter to the server whether its CLOSE arrives.
        let _ = socket.close(None).await;
        while let Some(Ok(_)) = socket.next().await {}
    };
    let _ = timeout(Duration::from_secs(5), talk).await;
}

#[test]
fn a_careless_client_is_caught_through_each_relay() {
    let check = |run: &TrialRun<Option<usize>, ()>| match run.client.returned() {
        Some(Some(answers)) if *answers != MESSAGES => Err("a part passes for the whole".to_owned()),
        Some(_) | None => Ok(()),
    };
    let report = Trial::new(careless, server, check).networks(&TrialNetwork::RELAYS).run();
    let caught: BTreeSet<_> = report.of(FindingKind::Check).flat_map(|failure| failure.networks()).collect();
    assert_eq!(caught, TrialNetwork::RELAYS.into(), "{report}");
}
