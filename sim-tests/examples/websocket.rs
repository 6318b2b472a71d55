//! Is a truncated WebSocket conversation ever reported as a success? Tests `tokio-tungstenite` on every network.
//!
//! A client sends messages, a server sends each back, and the client closes. It closes either at once, or after the
//! last answer. The two cases differ in what the server may conclude from the closing handshake.

use futures_util::{SinkExt, StreamExt};
use sim_tests::trial::{Role, TimeWait, Trial, TrialNetwork, TrialReport, TrialRun, TrialStream};
use std::time::Duration;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message};
use tokio_tungstenite::{accept_async, client_async};

/// The number of messages that the client sends.
pub(crate) const MESSAGES: usize = 3;
const PATIENCE: Duration = Duration::from_secs(5);
/// The size of a CLOSE frame with a code and no reason, in bytes.
const CLOSE_FRAME: usize = 4;

type Failure = Box<dyn std::error::Error>;

/// When the client closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Right after its last message.
    AtOnce,
    /// After it has received the last answer.
    Answered,
}

/// The sides whose result is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    Clients,
    Both,
}

/// What a side received, and whether it takes the conversation as complete: closed by the handshake, with code 1000.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Talk {
    messages: usize,
    complete: Result<(), String>,
}

async fn client(stream: TrialStream, manner: Manner) -> Talk {
    let mut messages = 0;
    let complete = within_patience(ask(stream, manner, &mut messages)).await;
    Talk { messages, complete }
}

async fn ask(stream: TrialStream, manner: Manner, messages: &mut usize) -> Result<(), Failure> {
    let goodbye = CloseFrame { code: CloseCode::Normal, reason: "".into() };
    let (mut socket, _) = client_async("ws://server/", stream).await?;
    for number in 1..=MESSAGES {
        socket.send(Message::text(format!("message {number}"))).await?;
    }
    if manner == Manner::AtOnce {
        socket.close(Some(goodbye.clone())).await?;
    }
    let mut closed = Err("no CLOSE came".into());
    while let Some(message) = socket.next().await {
        match message? {
            Message::Text(_) => {
                *messages += 1;
                if *messages == MESSAGES && manner == Manner::Answered {
                    socket.close(Some(goodbye.clone())).await?;
                }
            }
            Message::Close(frame) => closed = is_normal(frame),
            Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => (),
        }
    }
    closed
}

async fn server(stream: TrialStream) -> Talk {
    let mut messages = 0;
    let complete = within_patience(answer(stream, &mut messages)).await;
    Talk { messages, complete }
}

async fn answer(stream: TrialStream, messages: &mut usize) -> Result<(), Failure> {
    let mut socket = accept_async(stream).await?;
    let mut closed = Err("no CLOSE came".into());
    while let Some(message) = socket.next().await {
        match message? {
            Message::Text(text) => {
                *messages += 1;
                socket.send(Message::Text(text)).await?;
            }
            Message::Close(frame) => closed = is_normal(frame),
            Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => (),
        }
    }
    closed
}

fn is_normal(frame: Option<CloseFrame>) -> Result<(), Failure> {
    match frame {
        Some(frame) if frame.code == CloseCode::Normal => Ok(()),
        other => Err(format!("closed with {other:?}").into()),
    }
}

async fn within_patience(talk: impl Future<Output = Result<(), Failure>>) -> Result<(), String> {
    match timeout(PATIENCE, talk).await {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err("out of patience".to_owned()),
    }
}

/// Checks that a side which takes the conversation as complete has all messages. If the server's result counts, the
/// client must also have them.
fn check(run: &TrialRun<Talk, Talk>, word: Word) -> Result<(), String> {
    let all = |talk: &Talk| talk.complete.is_err() || talk.messages == MESSAGES;
    if !run.client.returned().is_none_or(all) {
        return Err("the client takes a part for the whole".to_owned());
    }
    if !run.server.returned().is_none_or(all) {
        return Err("the server takes a part for the whole".to_owned());
    }
    let is_complete = run.server.returned().is_some_and(|talk| talk.complete.is_ok());
    let answers = run.bytes_written(Role::Server) - if is_complete { CLOSE_FRAME } else { 0 };
    if word == Word::Both && is_complete && run.bytes_read(Role::Client) < answers {
        return Err("the server says complete, and the client has not read all of its answers".to_owned());
    }
    Ok(())
}

/// Returns the trial of one manner. After the close handshake the server closes TCP first (RFC 6455 section 7.1.1).
pub(crate) fn trial(manner: Manner, word: Word) -> Trial<Talk, Talk> {
    Trial::new(move |stream| client(stream, manner), server, move |run| check(run, word)).time_wait(TimeWait::Server)
}

/// Returns all networks except the one on which tungstenite refuses the handshake, and the one whose buffers are smaller
/// than a message: there both sides write before they read, and wait for ever.
pub(crate) fn networks() -> Vec<TrialNetwork> {
    let left_out = [TrialNetwork::ONE_BYTE_READS, TrialNetwork::SMALL_BUFFER];
    TrialNetwork::ALL.into_iter().filter(|network| !left_out.contains(network)).collect()
}

/// Runs all trials, and returns their reports.
pub(crate) fn reports() -> [(&'static str, TrialReport); 3] {
    let run = |manner, word| trial(manner, word).networks(&networks()).run();
    [
        ("the client closes when it has all answers; both must be right", run(Manner::Answered, Word::Both)),
        ("the client closes at once; the client must be right", run(Manner::AtOnce, Word::Clients)),
        ("the client closes at once; both must be right", run(Manner::AtOnce, Word::Both)),
    ]
}

/// Runs the undisturbed trial on the network on which tungstenite refuses the handshake.
pub(crate) fn byte_by_byte() -> TrialRun<Talk, Talk> {
    trial(Manner::Answered, Word::Both).replay("undisturbed/one-byte-reads").expect("an id")
}

#[cfg_attr(test, expect(dead_code, reason = "a test includes this file, and prints nothing"))]
fn main() {
    for (what, report) in reports() {
        println!("== {what}\n{report}");
    }
    let run = byte_by_byte();
    println!("== reads of one byte, undisturbed\nclient: {}\nserver: {}", run.client, run.server);
}
