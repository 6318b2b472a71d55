//! Services of tower.

use crate::service::{Request, Response, Service};
use echo_core::Failure;
use std::future::poll_fn;
use std::sync::{Mutex, PoisonError};

/// Makes a service of a [`tower_service::Service`], with its layers: limits, timeouts, retries …
///
/// Each call takes a clone, waits until that is ready, and calls it. The wait counts as time of the call
/// ([`ServerConfig::call_deadline`](crate::ServerConfig::call_deadline)). If the response or the error is of another type,
/// convert it with tower's `map_response` and `map_err`.
///
/// ```
/// use echo_net::{Request, Response, ServerConfig, TowerService, echo_core::CloseCode, echo_core::Failure, serve};
/// use std::time::Duration;
/// use tower::{BoxError, ServiceBuilder};
///
/// let upper = ServiceBuilder::new()
///     .map_err(|error: BoxError| Failure::new(CloseCode::TRY_LATER, error.to_string()))
///     .concurrency_limit(100)
///     .timeout(Duration::from_secs(1))
///     .service_fn(async |request: Request| Ok::<_, BoxError>(Response::new(request.payload.to_ascii_uppercase())));
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
/// # runtime.block_on(async {
/// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// # let address = listener.local_addr()?;
/// tokio::spawn(serve(listener, TowerService::new(upper), ServerConfig::default(), std::future::pending()));
///
/// let client = echo_net::Client::connect(address, Default::default()).await?;
/// assert_eq!(client.request("hello").await?.payload, b"HELLO");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct TowerService<S>(
    // A service of tower need not be `Sync`.
    Mutex<S>,
);

impl<S> TowerService<S> {
    /// Creates a service.
    pub fn new(service: S) -> Self {
        Self(Mutex::new(service))
    }
}

impl<S> Service for TowerService<S>
where
    S: tower_service::Service<Request, Response = Response, Error: Into<Failure> + Send, Future: Send>,
    S: Clone + Send + 'static,
{
    type Error = S::Error;

    async fn call(&self, request: Request) -> Result<Response, S::Error> {
        let mut service = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        poll_fn(|cx| service.poll_ready(cx)).await?;
        service.call(request).await
    }
}
