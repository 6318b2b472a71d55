//! Is a truncated HTTP/1.1 response ever reported as a success? Tests hyper's client and server on every network.
//!
//! There is one request, and one response of three pieces. The end of the response is marked in one of three ways: by a
//! length, by a last chunk, or only by the end of the connection.

use futures_util::stream;
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::body::{Bytes, Frame};
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use hyper_util::rt::TokioIo;
use sim_tests::trial::{Role, TimeWait, Trial, TrialNetwork, TrialReport, TrialRun, TrialStream};
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// The pieces of the response.
const PIECES: [&str; 3] = ["one ", "two ", "three"];
const PATIENCE: Duration = Duration::from_secs(5);

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How the end of a response is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// `Content-Length`.
    Length,
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// By the end of the connection, as for a client of HTTP/1.0.
    End,
}

/// Whether the server's handler completes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handler {
    Sound,
    /// It fails after the second piece.
    Dies,
}

/// The body, if the client takes it as complete.
pub(crate) type Fetched = Result<String, String>;
/// The server's result for the connection.
pub(crate) type Served = Result<(), String>;

async fn client(stream: TrialStream, framing: Framing) -> Fetched {
    within_patience(fetch(stream, framing)).await
}

async fn fetch(stream: TrialStream, framing: Framing) -> Result<String, Failure> {
    let version = if framing == Framing::End { Version::HTTP_10 } else { Version::HTTP_11 };
    let request = Request::builder().uri("/").version(version).header("host", "server").body(Empty::<Bytes>::new())?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let talk = async move {
        let response = sender.send_request(request).await?;
        let body = response.into_body().collect().await?.to_bytes();
        Ok(String::from_utf8_lossy(&body).into_owned())
    };
    // The connection ends when its sender is dropped. Its own result adds nothing to the response's.
    let (body, _) = tokio::join!(talk, connection);
    body
}

async fn server(stream: TrialStream, framing: Framing, handler: Handler) -> Served {
    let service = service_fn(move |_| async move { respond(framing, handler) });
    let mut builder = hyper::server::conn::http1::Builder::new();
    // A run has the same bytes each time.
    let connection = builder.auto_date_header(false).serve_connection(TokioIo::new(stream), service);
    within_patience(async { Ok(connection.await?) }).await
}

fn respond(
    framing: Framing,
    handler: Handler,
) -> Result<Response<impl hyper::body::Body<Data = Bytes, Error = Failure>>, Failure> {
    let pieces = stream::unfold(0, move |index| async move {
        let piece = PIECES.get(index)?;
        // Each piece is a separate write.
        sleep(Duration::from_millis(20)).await;
        let frame = match (index, handler) {
            (2, Handler::Dies) => Err("the handler died".into()),
            (_, Handler::Dies | Handler::Sound) => Ok(Frame::data(Bytes::from_static(piece.as_bytes()))),
        };
        Some((frame, index + 1))
    });
    let mut response = Response::builder();
    if framing == Framing::Length {
        response = response.header("content-length", PIECES.concat().len());
    }
    Ok(response.body(StreamBody::new(pieces))?)
}

async fn within_patience<T>(talk: impl Future<Output = Result<T, Failure>>) -> Result<T, String> {
    match timeout(PATIENCE, talk).await {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err("out of patience".to_owned()),
    }
}

/// Checks that a body which the client takes as complete is complete.
fn client_is_right(run: &TrialRun<Fetched, Served>) -> Result<(), String> {
    match run.client.returned() {
        Some(Ok(body)) if *body != PIECES.concat() => Err("a truncated response passes for complete".to_owned()),
        Some(_) | None => Ok(()),
    }
}

/// Checks that the client has received the whole response if the server reports success.
fn server_is_right(run: &TrialRun<Fetched, Served>) -> Result<(), String> {
    let lost = run.bytes_written(Role::Server) > run.bytes_read(Role::Client);
    match run.server.returned() {
        Some(Ok(())) if lost => Err("the server reports success, and the client has not read all".to_owned()),
        Some(_) | None => Ok(()),
    }
}

/// Returns the trial of a framing and a handler, which checks the client's result.
pub(crate) fn trial(framing: Framing, handler: Handler) -> Trial<Fetched, Served> {
    let first_fin = match (framing, handler) {
        (Framing::Length | Framing::Chunked, Handler::Sound) => TimeWait::Client,
        (Framing::End, Handler::Sound) | (_, Handler::Dies) => TimeWait::Server,
    };
    let (client, server) = (move |stream| client(stream, framing), move |stream| server(stream, framing, handler));
    Trial::new(client, server, client_is_right).time_wait(first_fin)
}

/// Returns the trial that checks the server's result, with a handler that completes.
pub(crate) fn servers_trial(framing: Framing) -> Trial<Fetched, Served> {
    let (client, server) =
        (move |stream| client(stream, framing), move |stream| server(stream, framing, Handler::Sound));
    Trial::new(client, server, server_is_right)
}

/// Runs all trials, and returns their reports.
pub(crate) fn reports() -> [(&'static str, TrialReport); 7] {
    let dies = |framing| trial(framing, Handler::Dies).faults(&[]).run();
    [
        ("Content-Length", trial(Framing::Length, Handler::Sound).run()),
        ("chunked", trial(Framing::Chunked, Handler::Sound).run()),
        ("up to the end of the connection", trial(Framing::End, Handler::Sound).run()),
        ("Content-Length, and the handler dies", dies(Framing::Length)),
        ("chunked, and the handler dies", dies(Framing::Chunked)),
        ("up to the end of the connection, and the handler dies", dies(Framing::End)),
        ("Content-Length, the server's word", servers_trial(Framing::Length).networks(&[TrialNetwork::CLEAR]).run()),
    ]
}

#[cfg_attr(test, expect(dead_code, reason = "a test includes this file, and prints nothing"))]
fn main() {
    for (what, report) in reports() {
        println!("== {what}\n{report}");
    }
}
