//! fastwebsockets, without its handshake of HTTP.

use crate::patience::within_patience;
use crate::question::{Question, random};
use fastwebsockets::{FragmentCollector, Frame, OpCode, Payload, Role, WebSocket, WebSocketError};
use sim_tests::trial::{Trial, TrialRun, TrialStream};

const MESSAGES: [&str; 3] = ["one", "two", "three"];

type Sent = Result<(), String>;
type Received = Result<Vec<String>, String>;

pub(crate) fn questions() -> Vec<Question> {
    vec![
        Question::new(
            "fastwebsockets, the receiver",
            "Does the receiver ever take a part of the messages, or of one, for all?",
            || Trial::new(send, receive, whole).label(random),
        ),
        Question::new(
            "fastwebsockets, the sender",
            "The sender closes and receives the CLOSE of the other: does this prove that the other has all?",
            || Trial::new(send, receive, proved).label(random),
        ),
    ]
}

/// Sends all, closes, and waits for the other's CLOSE.
async fn send(stream: TrialStream) -> Sent {
    within_patience(async {
        let mut socket = FragmentCollector::new(WebSocket::after_handshake(stream, Role::Client));
        for message in MESSAGES {
            socket.write_frame(Frame::text(Payload::Borrowed(message.as_bytes()))).await?;
        }
        socket.write_frame(Frame::close(1000, b"")).await?;
        loop {
            if socket.read_frame().await?.opcode == OpCode::Close {
                return Ok::<_, WebSocketError>(());
            }
        }
    })
    .await
}

/// As the documentation shows it: until CLOSE, which the library answers.
async fn receive(stream: TrialStream) -> Received {
    within_patience(async {
        let mut socket = FragmentCollector::new(WebSocket::after_handshake(stream, Role::Server));
        let mut messages = Vec::new();
        loop {
            let frame = socket.read_frame().await?;
            match frame.opcode {
                OpCode::Close => return Ok::<_, WebSocketError>(messages),
                OpCode::Text | OpCode::Binary => messages.push(String::from_utf8_lossy(&frame.payload).into_owned()),
                OpCode::Continuation | OpCode::Ping | OpCode::Pong => (),
            }
        }
    })
    .await
}

fn whole(run: &TrialRun<Sent, Received>) -> Result<(), String> {
    match run.server.returned() {
        Some(Ok(messages)) if *messages != MESSAGES => Err("a part passes for all".to_owned()),
        _ => Ok(()),
    }
}

fn proved(run: &TrialRun<Sent, Received>) -> Result<(), String> {
    match (run.client.returned(), run.server.returned()) {
        (Some(Ok(())), Some(Err(error))) => Err(format!("the sender is content, and the receiver is not: {error}")),
        _ => Ok(()),
    }
}
