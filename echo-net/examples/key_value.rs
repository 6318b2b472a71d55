//! A key-value store whose server is replaced while clients write: nobody loses a write, and everybody reads his own.
//!
//! A request that is refused did not run, so `RetryClient` sends it to the new server. A write that is unknown may have
//! run; writing the same value again does no harm, so this client does that by itself.

use echo_net::echo_core::{CloseCode, Failure};
use echo_net::{Client, ClientConfig, Request, RequestError, Response, RetryClient, RetryConfig, RetryError};
use echo_net::{ServerConfig, TcpListeners, serve, service_fn};
use std::collections::BTreeMap;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// What a real store keeps in a file.
type Store = Arc<Mutex<BTreeMap<String, String>>>;

/// Answers `set KEY VALUE` and `get KEY`.
fn answer(store: &Store, request: &Request) -> Result<Response, Failure> {
    let wrong = || Failure::new(CloseCode(4000), "expected set KEY VALUE, or get KEY");
    let text = std::str::from_utf8(&request.payload).map_err(|_| wrong())?;
    let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
    match text.split(' ').collect::<Vec<_>>()[..] {
        ["set", key, value] => _ = store.insert(key.to_owned(), value.to_owned()),
        ["get", key] => return Ok(Response::new(store.get(key).cloned().unwrap_or_default())),
        _ => return Err(wrong()),
    }
    Ok(Response::new("stored"))
}

/// A server, and how to stop it.
struct Server(oneshot::Sender<()>, JoinHandle<echo_net::Report>);

async fn start(address: SocketAddr, store: &Store) -> std::io::Result<(SocketAddr, Server)> {
    let listeners = TcpListeners::bind_shared(address).await?;
    let (address, store) = (listeners.local_addrs()?[0], store.clone());
    let (stop, stopped) = oneshot::channel();
    let service = service_fn(move |request: Request| std::future::ready(answer(&store, &request)));
    let mut config = ServerConfig::default();
    config.connection.plain_wire = false; // a line of another program is no request
    let serving = serve(listeners, service, config, async { drop(stopped.await) });
    Ok((address, Server(stop, tokio::spawn(serving))))
}

/// Writes and reads until all is written. Returns how often it wrote again.
async fn write(address: SocketAddr, user: usize) -> Result<usize, RetryError> {
    let client = RetryClient::new(move || Client::connect(address, ClientConfig::default()), RetryConfig::default());
    let mut again = 0;
    for number in 0..200 {
        while let Err(error) = client.request(format!("set {user} {number}")).await {
            let RetryError::Request(RequestError::Unknown { .. }) = error else { return Err(error) };
            again += 1;
        }
        let read = client.request(format!("get {user}")).await?;
        assert_eq!(read.payload, number.to_string().as_bytes(), "everybody reads what he has written");
    }
    client.close().await;
    Ok(again)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let store = Store::default();
    let (address, mut server) = start(([127, 0, 0, 1], 0).into(), &store).await?;
    let users: Vec<_> = (0..4).map(|user| tokio::spawn(write(address, user))).collect();
    for _ in 0..3 {
        // The new one listens before the old one drains.
        let (_, next) = start(address, &store).await?;
        let Server(stop, old) = std::mem::replace(&mut server, next);
        drop(stop);
        println!("a server drained: {}", old.await?);
    }
    for user in users {
        println!("a user wrote 200 values, {} of them again", user.await??);
    }
    Ok(())
}
