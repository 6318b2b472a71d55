//! yamux: streams in one connection. One of them carries a file.

use crate::patience::within_patience;
use crate::question::{Question, random};
use futures_util::{AsyncReadExt, AsyncWriteExt};
use sim_tests::trial::{Trial, TrialRun, TrialStream};
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};
use yamux::{Config, Connection, Mode};

const PIECES: [&str; 3] = ["one ", "two ", "three"];

type Sent = Result<(), String>;
type Received = Result<String, String>;
type Multiplexed = Connection<Compat<TrialStream>>;

pub(crate) fn questions() -> Vec<Question> {
    vec![
        Question::new(
            "yamux, a stream up to its end",
            "Does the receiver ever take a part of what was sent on a stream for all?",
            || Trial::new(send, receive, whole).label(random),
        ),
        Question::new(
            "yamux, success of the sender's `close`",
            "The sender has closed its stream, and then the connection, without an error: has the other received all?",
            || Trial::new(send, receive, received).label(random).only_surprises(),
        ),
    ]
}

async fn send(stream: TrialStream) -> Sent {
    within_patience(async {
        let mut connection = Connection::new(stream.compat(), Config::default(), Mode::Client);
        let mut upload = poll_fn(|cx| connection.poll_new_outbound(cx)).await.map_err(io::Error::other)?;
        let talk = async {
            for piece in PIECES {
                upload.write_all(piece.as_bytes()).await?;
                upload.flush().await?;
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
            upload.close().await
        };
        driven(&mut connection, talk).await?;
        poll_fn(|cx| connection.poll_close(cx)).await.map_err(io::Error::other)
    })
    .await
    .map_err(without_ids)
}

/// An error of a stream begins with the connection's id, which is another in each run.
fn without_ids(error: String) -> String {
    match error.split_once(": ") {
        Some((_, what)) => what.to_owned(),
        None => error,
    }
}

async fn receive(stream: TrialStream) -> Received {
    within_patience(async {
        let mut connection = Connection::new(stream.compat(), Config::default(), Mode::Server);
        let inbound = poll_fn(|cx| connection.poll_next_inbound(cx)).await;
        let mut download = inbound.ok_or(io::ErrorKind::UnexpectedEof)?.map_err(io::Error::other)?;
        let mut text = String::new();
        driven(&mut connection, download.read_to_string(&mut text)).await?;
        Ok::<_, io::Error>(text)
    })
    .await
    .map_err(without_ids)
}

/// Polls `talk`, and lets the connection make progress.
async fn driven<T>(connection: &mut Multiplexed, talk: impl Future<Output = T>) -> T {
    let mut talk = pin!(talk);
    poll_fn(|cx| {
        if let Poll::Ready(result) = talk.as_mut().poll(cx) {
            return Poll::Ready(result);
        }
        // Its errors show in the streams.
        while let Poll::Ready(Some(Ok(_))) = connection.poll_next_inbound(cx) {}
        talk.as_mut().poll(cx)
    })
    .await
}

fn whole(run: &TrialRun<Sent, Received>) -> Result<(), String> {
    match run.server.returned() {
        Some(Ok(text)) if *text != PIECES.concat() => Err("a part passes for all".to_owned()),
        _ => Ok(()),
    }
}

fn received(run: &TrialRun<Sent, Received>) -> Result<(), String> {
    let has_all = run.server.returned().is_some_and(|got| got.as_ref().is_ok_and(|text| *text == PIECES.concat()));
    match run.client.returned() {
        Some(Ok(())) if !has_all => Err("the sender is content, and the other has not received all".to_owned()),
        _ => Ok(()),
    }
}
