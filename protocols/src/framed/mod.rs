//! `tokio_util::codec`: frames with their length before them, and lines.

use crate::patience::within_patience;
use crate::question::Question;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use sim_tests::trial::{Trial, TrialRun, TrialStream};
use std::io;
use tokio_util::codec::{Framed, FramedRead, FramedWrite, LengthDelimitedCodec, LinesCodec};

pub(crate) fn questions() -> Vec<Question> {
    vec![
        Question::new(
            "tokio-util, LengthDelimitedCodec",
            "A stream of messages that ends with FIN: does the receiver ever take a part of them for all?",
            || Trial::new(send_frames, receive_frames, whole),
        ),
        Question::new(
            "tokio-util, LengthDelimitedCodec, a last empty message",
            "The same, and an empty message says that it was the last: is it still ever misled?",
            || Trial::new(send_frames_and_last, receive_frames_to_last, whole),
        ),
        Question::new(
            "tokio-util, LinesCodec",
            "Lines that end with FIN: does the receiver ever take a part of a line for a line?",
            || Trial::new(send_lines, receive_lines, whole_lines),
        ),
    ]
}

const MESSAGES: [&str; 3] = ["one", "two", "three"];

type Sent = Result<(), String>;
type Received = Result<Vec<String>, String>;

/// Whoever reports a success has received all.
fn whole(run: &TrialRun<Sent, Received>) -> Result<(), String> {
    match run.server.returned() {
        Some(Ok(messages)) if *messages != MESSAGES => Err("some of the messages pass for all".to_owned()),
        _ => Ok(()),
    }
}

/// Whoever takes a line has received all of it.
fn whole_lines(run: &TrialRun<Sent, Received>) -> Result<(), String> {
    match run.server.returned() {
        Some(Ok(lines)) if lines.iter().any(|line| !MESSAGES.contains(&line.as_str())) => {
            Err("a part of a line passes for a line".to_owned())
        }
        _ => Ok(()),
    }
}

async fn send_frames(stream: TrialStream) -> Sent {
    send(stream, &MESSAGES).await
}

async fn send_frames_and_last(stream: TrialStream) -> Sent {
    send(stream, &[&MESSAGES[..], &[""]].concat()).await
}

async fn send(stream: TrialStream, messages: &[&'static str]) -> Sent {
    within_patience(async {
        let mut frames = FramedWrite::new(stream, LengthDelimitedCodec::new());
        for message in messages.iter().copied() {
            frames.send(Bytes::from(message)).await?;
        }
        SinkExt::<Bytes>::close(&mut frames).await
    })
    .await
}

/// As the documentation of `FramedRead` shows it.
async fn receive_frames(stream: TrialStream) -> Received {
    within_patience(async {
        let mut frames = FramedRead::new(stream, LengthDelimitedCodec::new());
        let mut messages = Vec::new();
        while let Some(frame) = frames.next().await {
            messages.push(String::from_utf8_lossy(&frame?).into_owned());
        }
        io::Result::Ok(messages)
    })
    .await
}

async fn receive_frames_to_last(stream: TrialStream) -> Received {
    within_patience(async {
        let mut frames = FramedRead::new(stream, LengthDelimitedCodec::new());
        let mut messages = Vec::new();
        while let Some(frame) = frames.next().await {
            match frame? {
                last if last.is_empty() => return Ok(messages),
                frame => messages.push(String::from_utf8_lossy(&frame).into_owned()),
            }
        }
        Err(io::Error::from(io::ErrorKind::UnexpectedEof))
    })
    .await
}

async fn send_lines(stream: TrialStream) -> Sent {
    within_patience(async {
        let mut lines = Framed::new(stream, LinesCodec::new());
        for message in MESSAGES {
            lines.send(message).await?;
        }
        SinkExt::<&str>::close(&mut lines).await
    })
    .await
}

async fn receive_lines(stream: TrialStream) -> Received {
    within_patience(async {
        let mut lines = FramedRead::new(stream, LinesCodec::new());
        let mut messages = Vec::new();
        while let Some(line) = lines.next().await {
            messages.push(line?);
        }
        Ok::<_, tokio_util::codec::LinesCodecError>(messages)
    })
    .await
}
