//! The network of a trial as a connector of hyper-util's client: `Client::builder(executor).build(net)`.

use super::net::TrialNet;
use super::stream::TrialStream;
use hyper::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Connects to the port of the URI, or to 80. The name of the host does not matter: there is one other side.
impl tower_service::Service<Uri> for TrialNet {
    type Response = TokioIo<TrialStream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let net = self.clone();
        Box::pin(async move { net.connect(uri.port_u16().unwrap_or(80)).await.map(TokioIo::new) })
    }
}

impl Connection for TrialStream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}
