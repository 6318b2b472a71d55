//! Requests through hyper-util's client, which keeps connections in a pool and sends again what was never sent.

use crate::patience::within_patience;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use sim_tests::trial::{InjectedFault, Role, Trial, TrialEvent, TrialNet, TrialRun, note};
use std::io;
use std::time::Duration;
use tokio::time::timeout;

const REQUESTS: usize = 3;

/// For each request, whether it was answered.
type Answered = Vec<bool>;
type Served = io::Result<()>;
type Error = Box<dyn std::error::Error + Send + Sync>;

/// Sends POST 0, 1 and 2, each when the last has a result. As a process, it ends with its return.
async fn client(net: TrialNet) -> Answered {
    let client: Client<TrialNet, Full<Bytes>> = Client::builder(TokioExecutor::new()).build(net);
    let mut answered = Vec::new();
    for number in 0..REQUESTS {
        let request = async {
            let body = Full::new(Bytes::from(number.to_string()));
            let request = Request::builder().method(Method::POST).uri("http://server/").body(body)?;
            let response = client.request(request).await?;
            Ok::<_, Error>(response.into_body().collect().await?.to_bytes())
        };
        answered.push(within_patience(request).await.is_ok());
    }
    answered
}

async fn server(net: TrialNet) -> Served {
    let listener = net.listen(80)?;
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let mut builder = hyper::server::conn::http1::Builder::new();
        let connection = builder.auto_date_header(false).serve_connection(TokioIo::new(stream), service_fn(run));
        // A client that is silent is let go.
        tokio::spawn(timeout(Duration::from_secs(20), connection));
    }
}

/// Notes the number of the request, and answers it.
async fn run(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let body = request.into_body().collect().await?.to_bytes();
    note(String::from_utf8_lossy(&body));
    Ok(Response::new(Full::new(body)))
}

/// Is a request ever run twice?
pub(super) fn runs_once() -> Trial<Answered, Served> {
    Trial::of_network(client, server, |run| {
        let ran: Vec<&str> = run.notes(Role::Server).collect();
        let twice = ran.iter().enumerate().any(|(at, number)| ran[..at].contains(number));
        if twice { Err("a request ran twice".to_owned()) } else { Ok(()) }
    })
    .exit_on_return()
}

/// May one fault of a connection cost more than the request that was on it?
pub(super) fn fails_once() -> Trial<Answered, Served> {
    let of_a_connection = [InjectedFault::Drop, InjectedFault::Abort, InjectedFault::HalfClose];
    Trial::of_network(client, server, costs_one).exit_on_return().faults(&of_a_connection)
}

fn costs_one(run: &TrialRun<Answered, Served>) -> Result<(), String> {
    let is_cut = run.log.iter().any(|entry| entry.what == TrialEvent::Cut);
    match run.client.returned().map_or(0, |answered| answered.iter().filter(|is_good| !**is_good).count()) {
        0 | 1 => Ok(()),
        _ if is_cut => Ok(()),
        failed => Err(format!("one fault of one connection, and {failed} requests failed")),
    }
}
