//! What a server answers: a function from a request to a response.

use echo_core::Failure;
use std::convert::Infallible;
use std::future::{Future, ready};
use std::sync::Arc;

/// Answers requests.
///
/// Calls of one connection run at once, and begin in no particular order: a client waits for an answer before it sends a
/// request that depends on it. A call may take as long as it likes, within [`ServerConfig::call_deadline`](crate::ServerConfig::call_deadline): other
/// requests of the same client run meanwhile, and their answers wait for it (clause 5.8). It is a task of its own. It is
/// dropped at its next await when nobody can be answered any more: the connection was reset, or ended with an error. If it
/// panics, the client is told that the request failed, with code 1011. It must not block its thread: that has other
/// connections.
///
/// Clients may use the plain wire, too, where any line is a request, and a pause ends one: a service whose requests do
/// something should turn it off ([`Config::plain_wire`](echo_core::Config::plain_wire)).
///
/// A request fails with a code of the service's own (4000 to 4999, by convention), or with one of these: 1011, the call
/// panicked, or passed a deadline; 1013, it did not run, because no place was free within half of its deadline
/// ([`ServerConfig::max_calls`](crate::ServerConfig::max_calls)); 1009, its response is over the limit.
///
/// One server can have several listeners, a pair of them is one: see [`Listener`](crate::Listener). Then its limits, its
/// metrics and its report are those of all.
///
/// A request and a response are whole, and in memory. Bodies that are streamed are out of scope: send them as several
/// requests.
///
/// ```
/// use echo_net::{Request, Response, ServerConfig, echo_core::CloseCode, echo_core::Failure, serve, service_fn};
///
/// let upper = service_fn(async |request: Request| {
///     let text = String::from_utf8(request.payload).map_err(|_| Failure::new(CloseCode(4000), "expected UTF-8"))?;
///     Ok::<_, Failure>(Response::new(text.to_uppercase()))
/// });
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
/// # runtime.block_on(async {
/// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// # let address = listener.local_addr()?;
/// tokio::spawn(serve(listener, upper, ServerConfig::default(), std::future::pending()));
///
/// let client = echo_net::Client::connect(address, Default::default()).await?;
/// assert_eq!(client.request("hello").await?.payload, b"HELLO");
/// assert!(client.request(b"\xff").await.is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a `Service`",
    note = "`service_fn` makes a service of an async function or closure from `Request` to `Result<Response, E>`, where `E` can be converted into a `Failure`"
)]
pub trait Service: Send + Sync + 'static {
    /// Why there is no response. It becomes a code and a reason for the client.
    type Error: Into<Failure>;

    /// Answers `request`.
    fn call(&self, request: Request) -> impl Future<Output = Result<Response, Self::Error>> + Send;

    /// Returns whether each response is its request. Then the server echoes, without a call.
    #[doc(hidden)]
    fn is_echo(&self) -> bool {
        false
    }
}

/// A request that a server has accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Request {
    /// The message. On the plain wire it ends with its newline, if it had one.
    pub payload: Vec<u8>,
    /// Its number on its connection: 1, 2, 3 …
    pub seq: u64,
    /// The number of its connection at the server.
    pub connection: u64,
    /// The client's address, as the listener displays it.
    pub peer: Arc<str>,
}

impl Request {
    /// Creates the first request of the first connection, from nobody: for tests of a service without a server.
    pub fn new(payload: impl Into<Vec<u8>>) -> Self {
        Self { payload: payload.into(), seq: 1, connection: 1, peer: "".into() }
    }
}

/// The response to a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Response {
    /// The message. On the plain wire it is sent as it is, behind the time in brackets: end it with a newline there.
    pub payload: Vec<u8>,
}

impl Response {
    /// Creates a response.
    pub fn new(payload: impl Into<Vec<u8>>) -> Self {
        Self { payload: payload.into() }
    }
}

/// The service that sends each message back. It costs no call and no copy.
#[derive(Clone, Copy, Debug, Default)]
pub struct Echo;

impl Service for Echo {
    type Error = Infallible;

    fn call(&self, request: Request) -> impl Future<Output = Result<Response, Infallible>> + Send {
        ready(Ok(Response { payload: request.payload }))
    }

    fn is_echo(&self) -> bool {
        true
    }
}

/// Makes a service of an async function or closure.
pub fn service_fn<F>(call: F) -> ServiceFn<F> {
    ServiceFn(call)
}

/// See [`service_fn`].
#[derive(Clone, Copy, Debug)]
pub struct ServiceFn<F>(F);

impl<F, R, E> Service for ServiceFn<F>
where
    F: Fn(Request) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Response, E>> + Send,
    E: Into<Failure>,
{
    type Error = E;

    fn call(&self, request: Request) -> impl Future<Output = Result<Response, E>> + Send {
        (self.0)(request)
    }
}

/// A service of which clones share one value.
impl<S: Service> Service for Arc<S> {
    type Error = S::Error;

    fn call(&self, request: Request) -> impl Future<Output = Result<Response, S::Error>> + Send {
        S::call(self, request)
    }

    fn is_echo(&self) -> bool {
        S::is_echo(self)
    }
}
