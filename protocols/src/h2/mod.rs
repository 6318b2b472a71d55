//! h2, HTTP/2 without a layer above it: a download and an upload of three frames.

use crate::patience::within_patience;
use crate::question::Question;
use bytes::Bytes;
use h2::RecvStream;
use h2::server::SendResponse;
use hyper::http::{Request, Response};
use sim_tests::trial::{Role, Trial, TrialNotes, TrialRun, TrialStream};
use std::future::poll_fn;

const PIECES: [&str; 3] = ["one ", "two ", "three"];

/// Notes of the server: a body has ended with an error; all of the answer has been given to h2.
const CUT: &str = "the body was cut";
const ANSWERED: &str = "answered";
/// Before the body that the server took for whole.
const TOOK: &str = "took ";
/// Note of the client: it has all of the answer.
const READ: &str = "read the answer";

type Talked = Result<String, String>;
type Served = Result<(), String>;

pub(crate) fn questions() -> Vec<Question> {
    vec![
        Question::new("h2, download", "Does the client ever take a part of a response for the whole?", || {
            Trial::new(talk, serve, whole_download).exit_on_return().must_happen(READ)
        }),
        Question::new("h2, upload", "Does the server ever take a part of a body for the whole?", || {
            Trial::new(talk, serve, whole_upload).exit_on_return().must_happen(CUT)
        }),
        Question::new(
            "h2, the end of the server's `accept`",
            "The server's loop ends without an error: has the client read all of its answer?",
            // HTTP has no acknowledgment, so this is allowed.
            || Trial::new(talk, serve, answer_read).exit_on_return().only_surprises().must_happen(ANSWERED),
        ),
    ]
}

async fn talk(stream: TrialStream) -> Talked {
    let notes = stream.notes();
    within_patience(async {
        let (sender, connection) = h2::client::handshake(stream).await?;
        let driver = tokio::spawn(connection);
        let mut sender = sender.ready().await?;
        let request =
            Request::post("http://server/").body(()).map_err(|_| h2::Error::from(h2::Reason::INTERNAL_ERROR))?;
        let (response, mut upload) = sender.send_request(request, false)?;
        send(&mut upload).await?;
        let body = receive(response.await?.into_body()).await?;
        if body == PIECES.concat() {
            notes.note(READ);
        }
        // Each of them keeps the connection open.
        drop((sender, upload));
        // Its own result adds nothing to the response's.
        let _ = driver.await;
        Ok::<_, h2::Error>(body)
    })
    .await
}

async fn serve(stream: TrialStream) -> Served {
    within_patience(async {
        let notes = stream.notes();
        let mut connection = h2::server::handshake(stream).await?;
        let mut tasks = tokio::task::JoinSet::new();
        // As the documentation shows it: a task for each request, and `accept` drives the connection.
        let end = loop {
            match connection.accept().await {
                Some(Ok((request, respond))) => tasks.spawn(answer(request.into_body(), respond, notes.clone())),
                Some(Err(error)) => break Err(error),
                None => break Ok(()),
            };
        };
        // A server goes on when a connection has failed, and so do its tasks.
        drop(connection);
        while tasks.join_next().await.is_some() {}
        end
    })
    .await
}

/// Notes the body that it takes for whole, and that it has given all of its answer to h2.
async fn answer(body: RecvStream, mut respond: SendResponse<Bytes>, notes: TrialNotes) -> Result<(), h2::Error> {
    let body = receive(body).await.inspect_err(|_| notes.note(CUT))?;
    notes.note(format!("{TOOK}{body}"));
    let mut answer = respond.send_response(Response::new(()), false)?;
    send(&mut answer).await?;
    notes.note(ANSWERED);
    Ok(())
}

async fn send(stream: &mut h2::SendStream<Bytes>) -> Result<(), h2::Error> {
    for (index, piece) in PIECES.into_iter().enumerate() {
        stream.reserve_capacity(piece.len());
        poll_fn(|cx| stream.poll_capacity(cx)).await.transpose()?;
        stream.send_data(Bytes::from_static(piece.as_bytes()), index + 1 == PIECES.len())?;
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Reads a body until `data` returns `None`.
async fn receive(mut body: RecvStream) -> Result<String, h2::Error> {
    let mut text = String::new();
    while let Some(piece) = body.data().await {
        let piece = piece?;
        body.flow_control().release_capacity(piece.len())?;
        text += &String::from_utf8_lossy(&piece);
    }
    Ok(text)
}

fn whole_download(run: &TrialRun<Talked, Served>) -> Result<(), String> {
    match run.client.returned() {
        Some(Ok(body)) if *body != PIECES.concat() => Err("a part of the response passes for the whole".to_owned()),
        _ => Ok(()),
    }
}

fn whole_upload(run: &TrialRun<Talked, Served>) -> Result<(), String> {
    let mut bodies = run.notes(Role::Server).filter_map(|note| note.strip_prefix(TOOK));
    match bodies.find(|body| *body != PIECES.concat()) {
        Some(_) => Err("a part of the body passes for the whole".to_owned()),
        None => Ok(()),
    }
}

/// A loop that ends before a request has come says nothing about an answer, and a client that has read all bytes and is
/// ended before it notes that has the answer.
fn answer_read(run: &TrialRun<Talked, Served>) -> Result<(), String> {
    let answered = run.notes(Role::Server).any(|note| note == ANSWERED);
    let read = run.notes(Role::Client).any(|note| note == READ)
        || run.bytes_read(Role::Client) == run.bytes_written(Role::Server);
    match run.server.returned() {
        Some(Ok(())) if answered && !read => {
            Err("the server answered, its loop ended without an error, and the client has not all".to_owned())
        }
        _ => Ok(()),
    }
}
