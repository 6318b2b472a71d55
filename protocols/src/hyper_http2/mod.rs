//! hyper, HTTP/2: a download and an upload, with keep-alive.

use crate::patience::within_patience;
use crate::question::Question;
use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use sim_tests::trial::{Role, Trial, TrialNotes, TrialRun, TrialStream};
use std::time::Duration;
use tokio::time::sleep;

const PIECES: [&str; 3] = ["one ", "two ", "three"];

/// Note of the server: the body has ended with an error.
const CUT: &str = "the body was cut";

/// How long a server goes on after its connection.
const AFTERWARDS: Duration = Duration::from_millis(200);

type Error = Box<dyn std::error::Error + Send + Sync>;
type Fetched = Result<String, String>;
type Served = Result<(), String>;
type Pieces = StreamBody<std::pin::Pin<Box<dyn futures_util::Stream<Item = Result<Frame<Bytes>, Error>> + Send>>>;

pub(crate) fn questions() -> Vec<Question> {
    vec![
        Question::new(
            "hyper, HTTP/2, download",
            "Does the client ever take a part of a response for the whole?",
            || Trial::new(download, serve, whole_download).exit_on_return(),
        ),
        Question::new("hyper, HTTP/2, upload", "Does the server ever take a part of a body for the whole?", || {
            Trial::new(upload, serve, whole_upload).exit_on_return().must_happen(CUT)
        }),
        Question::new(
            "hyper, HTTP/2, upload that pauses, with keep-alive",
            "The client stops between two pieces, and the server's pings are not answered: does it ever take a part of the \
             body for the whole?",
            || Trial::new(upload_slowly, serve_with_pings, whole_upload).exit_on_return().must_happen(CUT),
        ),
    ]
}

/// The pieces, with a pause before each. Each is a frame of its own.
fn pieces(pause: Duration) -> Pieces {
    let pieces = stream::unfold(0, move |index| async move {
        let piece = PIECES.get(index)?;
        sleep(pause).await;
        Some((Ok(Frame::data(Bytes::from_static(piece.as_bytes()))), index + 1))
    });
    StreamBody::new(Box::pin(pieces))
}

const SHORT: Duration = Duration::from_millis(20);

async fn download(stream: TrialStream) -> Fetched {
    talk(stream, Empty::<Bytes>::new().map_err(|never| match never {}).boxed_unsync()).await
}

async fn upload(stream: TrialStream) -> Fetched {
    talk(stream, pieces(SHORT).boxed_unsync()).await
}

async fn upload_slowly(stream: TrialStream) -> Fetched {
    talk(stream, pieces(Duration::from_millis(1500)).boxed_unsync()).await
}

async fn talk(stream: TrialStream, body: http_body_util::combinators::UnsyncBoxBody<Bytes, Error>) -> Fetched {
    within_patience(async {
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        let driver = tokio::spawn(connection);
        let response = sender.send_request(Request::builder().uri("http://server/").body(body)?).await?;
        let body = response.into_body().collect().await?.to_bytes();
        drop(sender);
        // It ends when the last stream has ended. Its own result adds nothing to the response's.
        let _ = driver.await;
        Ok::<_, Error>(String::from_utf8_lossy(&body).into_owned())
    })
    .await
}

async fn serve(stream: TrialStream) -> Served {
    serve_by(http2::Builder::new(TokioExecutor::new()), stream).await
}

async fn serve_with_pings(stream: TrialStream) -> Served {
    let mut server = http2::Builder::new(TokioExecutor::new());
    let (interval, timeout) = (Duration::from_millis(500), Duration::from_millis(500));
    server.timer(TokioTimer::new()).keep_alive_interval(interval).keep_alive_timeout(timeout);
    serve_by(server, stream).await
}

async fn serve_by(mut server: http2::Builder<TokioExecutor>, stream: TrialStream) -> Served {
    let notes = stream.notes();
    let service = service_fn(move |request| answer(request, notes.clone()));
    let served = within_patience(server.auto_date_header(false).serve_connection(TokioIo::new(stream), service)).await;
    // A server goes on when a connection has failed, and so do the tasks of its requests.
    sleep(AFTERWARDS).await;
    served
}

/// Notes a body that it takes for whole, and answers.
async fn answer(request: Request<Incoming>, notes: TrialNotes) -> Result<Response<Pieces>, Error> {
    let body = request.into_body().collect().await.inspect_err(|_| notes.note(CUT))?.to_bytes();
    notes.note(format!("received {:?}", String::from_utf8_lossy(&body)));
    Ok(Response::new(pieces(SHORT)))
}

fn whole_download(run: &TrialRun<Fetched, Served>) -> Result<(), String> {
    match run.client.returned() {
        Some(Ok(body)) if *body != PIECES.concat() => Err("a part of the response passes for the whole".to_owned()),
        _ => Ok(()),
    }
}

fn whole_upload(run: &TrialRun<Fetched, Served>) -> Result<(), String> {
    let whole = format!("received {:?}", PIECES.concat());
    match run.notes(Role::Server).find(|note| *note != CUT && *note != whole) {
        Some(_) => Err("a part of the body passes for the whole".to_owned()),
        None => whole_download(run),
    }
}
