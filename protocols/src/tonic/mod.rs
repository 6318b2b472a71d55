//! tonic: gRPC over one connection, with messages that are text.

mod codec;
mod service;

use self::codec::TextCodec;
use self::service::serve;
use crate::patience::in_time;
use crate::question::Question;
use futures_util::stream;
use hyper::Uri;
use hyper::http::uri::PathAndQuery;
use hyper_util::rt::TokioIo;
use sim_tests::trial::{Role, Trial, TrialRun, TrialStream};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

pub(crate) const MESSAGES: [&str; 3] = ["one", "two", "three"];

/// Note of the server: the client's messages have ended with an error.
const CUT: &str = "the messages were cut";

/// The messages, or the code and the text of the error.
type Called = Result<Vec<String>, (Option<Code>, String)>;
type Served = Result<(), String>;

pub(crate) fn questions() -> Vec<Question> {
    vec![
        Question::new(
            "tonic, a stream of the server",
            "Does the client ever take a part of the messages for all?",
            || Trial::new(download, serve, whole_download).exit_on_return(),
        ),
        Question::new(
            "tonic, a stream of the client",
            "Does the server ever take a part of the messages for all?",
            || Trial::new(upload, serve, whole_upload).exit_on_return().must_happen(CUT),
        ),
        Question::new(
            "tonic, a call that ends with UNAVAILABLE",
            "The code is the one that clients try again: can the call have run?",
            // gRPC's guide says that a retry is not always safe.
            || Trial::new(call, serve, did_not_run).exit_on_return().only_surprises(),
        ),
    ]
}

async fn download(stream: TrialStream) -> Called {
    connected(stream, async |grpc| {
        let request = Request::new("all".to_owned());
        let response = grpc.server_streaming(request, PathAndQuery::from_static("/test/Download"), TextCodec).await?;
        let (mut stream, mut messages) = (response.into_inner(), Vec::new());
        while let Some(message) = stream.message().await? {
            messages.push(message);
        }
        Ok(messages)
    })
    .await
}

async fn upload(stream: TrialStream) -> Called {
    connected(stream, async |grpc| {
        let request = Request::new(paced());
        let path = PathAndQuery::from_static("/test/Upload");
        grpc.client_streaming(request, path, TextCodec).await.map(|response| vec![response.into_inner()])
    })
    .await
}

async fn call(stream: TrialStream) -> Called {
    connected(stream, async |grpc| {
        let request = Request::new("run".to_owned());
        let path = PathAndQuery::from_static("/test/Run");
        grpc.unary(request, path, TextCodec).await.map(|response| vec![response.into_inner()])
    })
    .await
}

/// The messages, each in a frame of its own.
pub(crate) fn paced() -> impl stream::Stream<Item = String> {
    stream::unfold(0, |index| async move {
        let message = MESSAGES.get(index)?;
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        Some(((*message).to_owned(), index + 1))
    })
}

async fn connected(
    stream: TrialStream,
    talk: impl AsyncFnOnce(&mut Grpc<Channel>) -> Result<Vec<String>, Status>,
) -> Called {
    let only = Arc::new(Mutex::new(Some(stream)));
    let connector = tower::service_fn(move |_: Uri| {
        let stream = only.lock().unwrap_or_else(PoisonError::into_inner).take();
        async move { stream.map(TokioIo::new).ok_or_else(|| io::Error::other("there is one connection")) }
    });
    let talk = async {
        let failed = |error: tonic::transport::Error| Status::unknown(error.to_string());
        let channel = Endpoint::from_static("http://server").connect_with_connector(connector).await.map_err(failed)?;
        let mut grpc = Grpc::new(channel);
        grpc.ready().await.map_err(failed)?;
        talk(&mut grpc).await
    };
    match in_time(talk).await {
        Ok(result) => result.map_err(|status| (Some(status.code()), status.message().to_owned())),
        Err(late) => Err((None, late)),
    }
}

fn whole_download(run: &TrialRun<Called, Served>) -> Result<(), String> {
    match run.client.returned() {
        Some(Ok(messages)) if *messages != MESSAGES => Err("a part of the messages passes for all".to_owned()),
        _ => Ok(()),
    }
}

fn whole_upload(run: &TrialRun<Called, Served>) -> Result<(), String> {
    match run.notes(Role::Server).find(|note| *note != CUT && *note != MESSAGES.join(" ")) {
        Some(_) => Err("a part of the messages passes for all".to_owned()),
        None => Ok(()),
    }
}

fn did_not_run(run: &TrialRun<Called, Served>) -> Result<(), String> {
    let ran = run.notes(Role::Server).any(|note| note == "ran");
    match run.client.returned() {
        Some(Err((Some(Code::Unavailable), _))) if ran => Err("the call ran".to_owned()),
        _ => Ok(()),
    }
}
