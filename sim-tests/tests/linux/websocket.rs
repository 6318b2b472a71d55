//! The findings of the trial of tokio-tungstenite, on the kernel.

#[allow(dead_code, reason = "it has trials that find nothing, too")]
#[path = "../../examples/websocket.rs"]
mod example;

use self::example::{MESSAGES, Manner, Word, trial};
use crate::worker::{all_confirmed, possible};
use futures_util::{SinkExt, StreamExt};
use sim_tests::trial::{InjectedFault, Trial, TrialNetwork, TrialRun, TrialStream};
use std::time::Duration;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::Message;
use tokio_tungstenite::{accept_async, client_async};

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

/// Each finding of ARCHITECTURE.md's table, on the kernel.
#[test]
fn the_findings_are_confirmed_on_linux() {
    if !possible() {
        return;
    }
    let at_once = trial(Manner::AtOnce, Word::Both).faults(&[InjectedFault::Vanish]).networks(&[TrialNetwork::Clear]);
    let said = "the server says complete, and the client has not read all of its answers";
    all_confirmed(&at_once.confirm_on_linux().run(), said);
    let check = |run: &TrialRun<Option<usize>, ()>| match run.client.returned() {
        Some(Some(answers)) if *answers != MESSAGES => Err("a part passes for the whole".to_owned()),
        Some(_) | None => Ok(()),
    };
    for relay in TrialNetwork::RELAYS {
        let careless = Trial::new(careless, server, check).networks(&[relay]);
        all_confirmed(&careless.confirm_on_linux().run(), "a part passes for the whole");
    }
}
