//! A service with three methods. It notes what it takes for a whole stream, and each call that runs.

use super::codec::TextCodec;
use super::{CUT, Served, paced};
use crate::patience::within_patience;
use futures_util::StreamExt;
use hyper::body::Incoming;
use hyper::http::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use sim_tests::trial::{TrialNotes, TrialStream};
use std::convert::Infallible;
use std::time::Duration;
use tonic::body::Body;
use tonic::server::{Grpc, ServerStreamingService};
use tonic::{Status, Streaming};

/// How long the server goes on after its connection; longer than a stream of messages takes.
const AFTERWARDS: Duration = Duration::from_millis(200);

pub(super) async fn serve(stream: TrialStream) -> Served {
    let notes = stream.notes();
    let service = hyper::service::service_fn(move |request| answer(request, notes.clone()));
    let mut server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    let served = within_patience(server.auto_date_header(false).serve_connection(TokioIo::new(stream), service)).await;
    // A server goes on when a connection has failed, and so do the tasks of its calls.
    tokio::time::sleep(AFTERWARDS).await;
    served
}

async fn answer(request: Request<Incoming>, notes: TrialNotes) -> Result<Response<Body>, Infallible> {
    let mut grpc = Grpc::new(TextCodec);
    Ok(match request.uri().path() {
        "/test/Download" => grpc.server_streaming(Download, request).await,
        "/test/Upload" => {
            grpc.client_streaming(tower::service_fn(move |request| upload(request, notes.clone())), request).await
        }
        _ => grpc.unary(tower::service_fn(move |request| run(request, notes.clone())), request).await,
    })
}

/// As the documentation shows it: until `message` returns `None`.
async fn upload(
    request: tonic::Request<Streaming<String>>,
    notes: TrialNotes,
) -> Result<tonic::Response<String>, Status> {
    let (mut stream, mut messages) = (request.into_inner(), Vec::new());
    while let Some(message) = stream.message().await.inspect_err(|_| notes.note(CUT))? {
        messages.push(message);
    }
    notes.note(messages.join(" "));
    Ok(tonic::Response::new(messages.len().to_string()))
}

async fn run(request: tonic::Request<String>, notes: TrialNotes) -> Result<tonic::Response<String>, Status> {
    notes.note("ran");
    Ok(tonic::Response::new(request.into_inner()))
}

struct Download;

impl ServerStreamingService<String> for Download {
    type Response = String;
    type ResponseStream = std::pin::Pin<Box<dyn futures_util::Stream<Item = Result<String, Status>> + Send>>;
    type Future = std::future::Ready<Result<tonic::Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, _: tonic::Request<String>) -> Self::Future {
        std::future::ready(Ok(tonic::Response::new(Box::pin(paced().map(Ok)))))
    }
}
