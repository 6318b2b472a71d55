//! The metrics of `serve` by HTTP, on a port of their own.

use echo_net::{Listener, Metrics, MetricsSnapshot, TcpListeners};
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Maximum number of concurrent connections. A further one ends the oldest, so slow clients keep nobody out.
const MOST: usize = 16;
/// Files that it opens at most: connections, listeners at the addresses of a name, and one that is just accepted.
pub(crate) const FILES: usize = MOST + 5;
/// How long a connection may take.
const DEADLINE: Duration = Duration::from_secs(5);
/// Maximum bytes of a request's head: hyper's minimum. A longer one is answered with 431.
const MOST_BYTES: usize = 8192;
/// Pause after a failed accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Answers requests for metrics, without end. Dropping the future ends its connections.
pub(crate) async fn serve(mut listeners: TcpListeners, metrics: Metrics) {
    let mut connections = JoinSet::new();
    let mut oldest_first = VecDeque::new();
    loop {
        tokio::select! { biased;
            Some(_) = connections.join_next() => oldest_first.retain(|task: &tokio::task::AbortHandle| !task.is_finished()),
            accepted = listeners.accept() => match accepted {
                Ok((stream, _)) => {
                    if oldest_first.len() >= MOST && let Some(oldest) = oldest_first.pop_front() {
                        oldest.abort();
                    }
                    oldest_first.push_back(connections.spawn(converse(stream, metrics.clone())));
                }
                Err(_) => sleep(ACCEPT_PAUSE).await,
            },
        }
    }
}

/// Answers one request.
async fn converse(stream: TcpStream, metrics: Metrics) {
    let service = service_fn(|request| {
        let response = answer(&request, &metrics);
        async { Ok::<_, Infallible>(response) }
    });
    let mut http = http1::Builder::new();
    let connection = http.keep_alive(false).max_buf_size(MOST_BYTES).serve_connection(TokioIo::new(stream), service);
    // A client that is slow, gone, or speaks no HTTP concerns nobody else.
    let _ = timeout(DEADLINE, connection).await;
}

fn answer(request: &Request<Incoming>, metrics: &Metrics) -> Response<String> {
    let path = request.uri().path();
    if !matches!(path, "/metrics" | "/healthz") {
        return text(StatusCode::NOT_FOUND, "not found: expected /metrics or /healthz\n");
    }
    if request.method() != Method::GET {
        let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "expected GET\n");
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
        return refused;
    }
    let now = metrics.read();
    match path {
        "/metrics" => response(StatusCode::OK, MetricsSnapshot::OPENMETRICS, now.to_openmetrics()),
        _ if now.draining => text(StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
        _ => text(StatusCode::OK, "ok\n"),
    }
}

fn text(status: StatusCode, body: &str) -> Response<String> {
    response(status, "text/plain; charset=utf-8", body.to_owned())
}

fn response(status: StatusCode, content_type: &'static str, body: String) -> Response<String> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
