//! echo-net's server as a [`System`](super::System): a client's frames in and out of order, FIN, RST, silence.

use super::observer::{CONTROL, Observer, PORT, config, outputs};
use crate::defaults::EPOCH;
use crate::in_memory::{CLOSE, GOAWAY, HELLO, raw, raw_echo, raw_farewell};
use crate::trial::{Trial, TrialNet, TrialStream};
use echo_core::Role;
use echo_net::{Clock, Echo, ServerConfig, serve};
use std::fmt;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What a server is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ServerInput {
    /// A client's preface; nothing if it was sent before.
    Preface,
    /// ECHO with the next number.
    Echo,
    /// ECHO with a number that is not due.
    EchoOutOfOrder,
    /// GOAWAY with the number of the last ECHO.
    GoAway,
    /// GOAWAY with another number.
    GoAwayWrong,
    /// CLOSE with the number of answers that have come.
    Close,
    /// CLOSE with another number.
    CloseWrong,
    /// CLOSE with the code of an error.
    CloseError,
    /// A frame of a kind that does not exist.
    UnknownFrame,
    /// FIN.
    Fin,
    /// RST.
    Rst,
    /// Silence, until a deadline has passed.
    Wait,
    /// The server is told to end, as SIGTERM does.
    Drain,
}

impl ServerInput {
    /// All inputs.
    pub const ALL: [Self; 13] = [
        Self::Preface,
        Self::Echo,
        Self::EchoOutOfOrder,
        Self::GoAway,
        Self::GoAwayWrong,
        Self::Close,
        Self::CloseWrong,
        Self::CloseError,
        Self::UnknownFrame,
        Self::Fin,
        Self::Rst,
        Self::Wait,
        Self::Drain,
    ];
}

impl fmt::Display for ServerInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Preface => "preface",
            Self::Echo => "ECHO",
            Self::EchoOutOfOrder => "ECHO?",
            Self::GoAway => "GOAWAY",
            Self::GoAwayWrong => "GOAWAY?",
            Self::Close => "CLOSE",
            Self::CloseWrong => "CLOSE?",
            Self::CloseError => "CLOSE 1011",
            Self::UnknownFrame => "frame?",
            Self::Fin => "FIN",
            Self::Rst => "RST",
            Self::Wait => "wait",
            Self::Drain => "drain",
        })
    }
}

/// Starts a server on a simulated network, and gives it one input after another. Returns what the client sees after each:
/// frames with their codes, `text`, `FIN`, `RST`, or `-` for nothing. A question mark says that a number is not the one that
/// is due.
///
/// # Errors
/// The ladder of a conversation that did not end.
pub fn ask(word: &[ServerInput]) -> Result<Vec<String>, String> {
    let word = word.to_vec();
    let trial = Trial::of_network(move |net| play(net, word.clone()), program, |_| Ok(()));
    outputs(trial, |run| run.client.returned()?.as_ref().ok().cloned())
}

async fn play(net: TrialNet, word: Vec<ServerInput>) -> io::Result<Vec<String>> {
    let mut control = net.connect(CONTROL).await?;
    let mut peer = Observer::new(net.connect(PORT).await?, Role::Server);
    let mut seen = Vec::new();
    for input in word {
        seen.push(give(&mut peer, &mut control, input).await);
    }
    // The server ends at once when both are gone.
    peer.send_rst().await;
    Ok(seen)
}

async fn give(peer: &mut Observer, control: &mut TrialStream, input: ServerInput) -> String {
    let (requests, answers) = (peer.requests, peer.answers);
    let bytes = match input {
        ServerInput::Preface => match peer.has_greeted {
            false => HELLO.to_vec(),
            // It would be the beginning of a frame.
            true => return peer.settle().await,
        },
        ServerInput::Echo => {
            peer.requests += 1;
            raw_echo(requests + 1, b"x")
        }
        ServerInput::EchoOutOfOrder => raw_echo(requests + 3, b"x"),
        ServerInput::GoAway => raw_farewell(GOAWAY, requests, 1000, 0, b""),
        ServerInput::GoAwayWrong => raw_farewell(GOAWAY, requests + 3, 1000, 0, b""),
        ServerInput::Close => raw_farewell(CLOSE, answers, 1000, 0, b""),
        ServerInput::CloseWrong => raw_farewell(CLOSE, answers + 3, 1000, 0, b""),
        ServerInput::CloseError => raw_farewell(CLOSE, answers, 1011, 0, b""),
        ServerInput::UnknownFrame => raw(99, 1, b""),
        ServerInput::Fin => return peer.send_fin().await,
        ServerInput::Rst => return peer.send_rst().await,
        ServerInput::Wait => return peer.wait().await,
        ServerInput::Drain => {
            // A server that has ended hears nothing any more.
            let _ = control.write_all(b"d").await;
            return peer.settle().await;
        }
    };
    peer.send(&bytes).await
}

async fn program(net: TrialNet) -> io::Result<()> {
    let (port, control) = (net.listen(PORT)?, net.listen(CONTROL)?);
    let mut control = control.accept().await?.0;
    let mut config = ServerConfig::default();
    (config.connection, config.clock) = (self::config(), Clock::simulated(|| EPOCH));
    // Without an error, a command; with one, the end of the word.
    let told = async { drop(control.read_u8().await) };
    serve(port, Echo, config, told).await;
    Ok(())
}
