//! A WebSocket client that takes every error for the end, and a server for it.

use super::example::MESSAGES;
use futures_util::{SinkExt, StreamExt};
use sim_tests::trial::{Trial, TrialNetwork, TrialRun, TrialStream};
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

/// Returns their trial on these networks: a part must not pass for the whole.
pub(crate) fn trial(networks: &[TrialNetwork]) -> Trial<Option<usize>, ()> {
    let check = |run: &TrialRun<Option<usize>, ()>| match run.client.returned() {
        Some(Some(answers)) if *answers != MESSAGES => Err("a part passes for the whole".to_owned()),
        Some(_) | None => Ok(()),
    };
    Trial::new(careless, server, check).networks(networks)
}
