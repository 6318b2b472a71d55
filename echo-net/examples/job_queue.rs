//! A job queue whose servers die at any moment: no job runs twice, and each that may have run is known.
//!
//! A job that was refused has not run, so `RetryClient` sends it again. A job that is unknown may have run, so it is asked
//! for by its name first: the servers write down each job before they run it.

use echo_net::echo_core::Failure;
use echo_net::{Client, ClientConfig, Request, RequestError, Response, RetryClient, RetryConfig, RetryError};
use echo_net::{ServerConfig, TcpListeners, serve_until, service_fn};
use std::collections::BTreeMap;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::sleep;

/// The jobs that were begun, and how often: what a real queue keeps in a file.
type Journal = Arc<Mutex<BTreeMap<String, u64>>>;

/// Answers `run NAME` and `seen NAME`.
async fn answer(journal: Journal, request: Request) -> Result<Response, Failure> {
    let text = String::from_utf8_lossy(&request.payload).into_owned();
    let (command, name) = text.split_once(' ').unwrap_or((&text, ""));
    let begun = || journal.lock().unwrap_or_else(PoisonError::into_inner);
    if command == "seen" {
        return Ok(Response::new(begun().get(name).copied().unwrap_or(0).to_string()));
    }
    *begun().entry(name.to_owned()).or_default() += 1;
    sleep(Duration::from_millis(1)).await; // the job itself
    Ok(Response::new("done"))
}

/// Starts a server. It dies when the sender is dropped: it aborts all its connections.
async fn start(address: SocketAddr, journal: &Journal) -> std::io::Result<(SocketAddr, oneshot::Sender<()>)> {
    let listeners = TcpListeners::bind_shared(address).await?;
    let address = listeners.local_addrs()?[0];
    let (die, death) = oneshot::channel::<()>();
    let journal = journal.clone();
    let service = service_fn(move |request| answer(journal.clone(), request));
    let death = async { drop(death.await) };
    let mut config = ServerConfig::default();
    config.connection.plain_wire = false; // a line of another program is no job
    tokio::spawn(serve_until(listeners, service, config, std::future::pending(), death));
    Ok((address, die))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let journal = Journal::default();
    let (address, mut server) = start(([127, 0, 0, 1], 0).into(), &journal).await?;
    let client = RetryClient::new(move || Client::connect(address, ClientConfig::default()), RetryConfig::default());
    let (mut done, mut lost) = (0, 0);
    for job in 0..200 {
        if job % 50 == 25 {
            // The old one dies while it runs this job.
            let (_, next) = start(address, &journal).await?;
            let old = std::mem::replace(&mut server, next);
            tokio::spawn(async {
                sleep(Duration::from_micros(500)).await;
                drop(old)
            });
        }
        match client.request(format!("run {job}")).await {
            Ok(_) => done += 1,
            Err(RetryError::Request(RequestError::Unknown { outcome })) => {
                let seen = client.request(format!("seen {job}")).await?;
                println!("job {job} is unknown ({outcome}); begun: {}", String::from_utf8_lossy(&seen.payload));
                lost += 1;
            }
            Err(error) => return Err(error.into()),
        }
    }
    assert!(journal.lock().expect("no panic").values().all(|times| *times == 1), "no job runs twice");
    println!("{done} jobs done, {lost} died with their server, none ran twice");
    Ok(())
}
