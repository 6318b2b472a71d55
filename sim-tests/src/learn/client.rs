//! echo-net's client as a [`System`](super::System): a server's frames in and out of order, FIN, RST, silence, and what
//! the user wants.

use super::observer::{CONTROL, Observer, PORT, config, outputs};
use crate::defaults::EPOCH;
use crate::in_memory::{CLOSE, GOAWAY, WELCOME, raw, raw_farewell, raw_reply};
use crate::trial::{Trial, TrialNet, TrialStream};
use echo_core::Role;
use echo_net::{Client, ClientConfig, Clock};
use std::fmt;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What a client is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ClientInput {
    /// The user sends a request, unless one waits for its answer.
    Send,
    /// The user ends the conversation.
    Leave,
    /// A server's preface; nothing if it was sent before.
    Preface,
    /// REPLY with the next number.
    Reply,
    /// REPLY with a number that is not due.
    ReplyOutOfOrder,
    /// GOAWAY.
    GoAway,
    /// CLOSE with the number of answers that were sent.
    Close,
    /// The same, and the server will send FIN first.
    CloseFinFirst,
    /// CLOSE with another number.
    CloseWrong,
    /// CLOSE with the code of an error.
    CloseError,
    /// The same, and the server will send FIN first.
    CloseErrorFinFirst,
    /// A frame of a kind that does not exist.
    UnknownFrame,
    /// FIN.
    Fin,
    /// RST.
    Rst,
    /// Silence, until a deadline has passed.
    Wait,
}

impl ClientInput {
    /// All inputs.
    pub const ALL: [Self; 15] = [
        Self::Send,
        Self::Leave,
        Self::Preface,
        Self::Reply,
        Self::ReplyOutOfOrder,
        Self::GoAway,
        Self::Close,
        Self::CloseFinFirst,
        Self::CloseWrong,
        Self::CloseError,
        Self::CloseErrorFinFirst,
        Self::UnknownFrame,
        Self::Fin,
        Self::Rst,
        Self::Wait,
    ];
}

impl fmt::Display for ClientInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Send => "send",
            Self::Leave => "leave",
            Self::Preface => "preface",
            Self::Reply => "REPLY",
            Self::ReplyOutOfOrder => "REPLY?",
            Self::GoAway => "GOAWAY",
            Self::Close => "CLOSE",
            Self::CloseFinFirst => "CLOSE first",
            Self::CloseWrong => "CLOSE?",
            Self::CloseError => "CLOSE 1011",
            Self::CloseErrorFinFirst => "CLOSE 1011 first",
            Self::UnknownFrame => "frame?",
            Self::Fin => "FIN",
            Self::Rst => "RST",
            Self::Wait => "wait",
        })
    }
}

/// Starts a client on a simulated network, and gives it one input after another. Returns what the server sees after each:
/// frames with their codes, `FIN`, `RST`, or `-` for nothing. The client's preface, which comes without an input, is left
/// out. A question mark says that a number is not the one that is due.
///
/// # Errors
/// The ladder of a conversation that did not end, or of a client that begins with anything but its preface.
pub fn ask(word: &[ClientInput]) -> Result<Vec<String>, String> {
    let word = word.to_vec();
    let trial = Trial::of_network(program, move |net| play(net, word.clone()), |_| Ok(()));
    outputs(trial, |run| run.server.returned()?.as_ref().ok().cloned())
}

async fn play(net: TrialNet, word: Vec<ClientInput>) -> io::Result<Vec<String>> {
    let (port, control) = (net.listen(PORT)?, net.listen(CONTROL)?);
    let mut control = control.accept().await?.0;
    let mut peer = Observer::new(port.accept().await?.0, Role::Client);
    match &peer.settle().await[..] {
        "preface" => (),
        other => return Err(io::Error::other(format!("expected the preface, received {other}"))),
    }
    let mut seen = Vec::new();
    for input in word {
        seen.push(give(&mut peer, &mut control, input).await);
    }
    peer.send_rst().await;
    Ok(seen)
}

async fn give(peer: &mut Observer, control: &mut TrialStream, input: ClientInput) -> String {
    const FIN_FIRST: u8 = 1;
    let answers = peer.answers;
    let bytes = match input {
        // One request at a time: the states would be as many as the requests that wait.
        ClientInput::Send if peer.wanted > answers => return peer.settle().await,
        ClientInput::Send | ClientInput::Leave => {
            peer.wanted += u64::from(input == ClientInput::Send);
            // A client that has ended hears nothing any more.
            let _ = control.write_all(if input == ClientInput::Send { b"s" } else { b"l" }).await;
            return peer.settle().await;
        }
        ClientInput::Preface => match std::mem::replace(&mut peer.has_greeted, true) {
            false => WELCOME.to_vec(),
            // It would be the beginning of a frame.
            true => return peer.settle().await,
        },
        ClientInput::Reply => {
            peer.answers += u64::from(peer.requests > answers);
            raw_reply(answers + 1, b"x")
        }
        ClientInput::ReplyOutOfOrder => raw_reply(answers + 3, b"x"),
        ClientInput::GoAway => raw_farewell(GOAWAY, 0, 1001, 0, b""),
        ClientInput::Close => raw_farewell(CLOSE, answers, 1000, 0, b""),
        ClientInput::CloseFinFirst => raw_farewell(CLOSE, answers, 1000, FIN_FIRST, b""),
        ClientInput::CloseWrong => raw_farewell(CLOSE, answers + 3, 1000, 0, b""),
        ClientInput::CloseError => raw_farewell(CLOSE, answers, 1011, 0, b""),
        ClientInput::CloseErrorFinFirst => raw_farewell(CLOSE, answers, 1011, FIN_FIRST, b""),
        ClientInput::UnknownFrame => raw(99, 1, b""),
        ClientInput::Fin => return peer.send_fin().await,
        ClientInput::Rst => return peer.send_rst().await,
        ClientInput::Wait => return peer.wait().await,
    };
    peer.send(&bytes).await
}

async fn program(net: TrialNet) -> io::Result<()> {
    let mut control = net.connect(CONTROL).await?;
    let mut config = ClientConfig::default();
    (config.connection, config.clock) = (self::config(), Clock::simulated(|| EPOCH));
    let client = Client::start(net.connect(PORT).await?, config);
    while let Ok(wanted) = control.read_u8().await {
        let client = client.clone();
        // Its result is what the other end sees.
        tokio::spawn(async move {
            match wanted {
                b's' => drop(client.request("x").await),
                _ => drop(client.close().await),
            }
        });
    }
    Ok(())
}
