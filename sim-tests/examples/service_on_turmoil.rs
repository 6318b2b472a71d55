//! A service of echo-net and its client on turmoil's simulated network, whose time is virtual: the server loses its power
//! while a request runs, and starts again.

use echo_net::echo_core::{Failure, Stamp};
use echo_net::{Client, ClientConfig, Clock, ConnectError, Listener, Request, Response, RetryClient, RetryConfig};
use echo_net::{ServerConfig, StreamTransport, serve, service_fn};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::sleep;
use turmoil::net::{TcpListener, TcpStream};

/// A listener of another crate as one of echo-net.
struct SimulatedListener(TcpListener);

impl Listener for SimulatedListener {
    type Stream = StreamTransport<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> io::Result<(Self::Stream, SocketAddr)> {
        self.0.accept().await.map(|(stream, peer)| (StreamTransport(stream), peer))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// Answers after a second.
async fn slow(request: Request) -> Result<Response, Failure> {
    sleep(Duration::from_secs(1)).await;
    Ok(Response::new(request.payload))
}

async fn connect() -> Result<Client, ConnectError> {
    let mut config = ClientConfig::default();
    config.clock = Clock::simulated(|| Stamp(0));
    let stream = TcpStream::connect("server:2012").await.map_err(ConnectError::Transport)?;
    Client::greet(StreamTransport(stream), config).await
}

fn main() -> turmoil::Result {
    let mut sim = turmoil::Builder::new().rng_seed(1).epoch(std::time::UNIX_EPOCH).build();
    sim.host("server", || async {
        let listener = SimulatedListener(TcpListener::bind("0.0.0.0:2012").await?);
        let mut config = ServerConfig::default();
        config.clock = Clock::simulated(|| Stamp(0));
        serve(listener, service_fn(slow), config, std::future::pending()).await;
        Ok(())
    });
    sim.client("client", async {
        let client = RetryClient::new(connect, RetryConfig::default());
        for text in ["before", "meanwhile", "after"] {
            match client.request(text).await {
                Ok(answer) => {
                    println!("{text}: answered, with {} ms on the network", answer.stamps.delay() / 1_000_000)
                }
                Err(error) => println!("{text}: {error}"),
            }
        }
        Ok(())
    });
    // It loses its power in the second second, and is there again in the third.
    while sim.elapsed() < Duration::from_millis(1500) {
        sim.step()?;
    }
    sim.crash("server");
    sim.bounce("server");
    sim.run()
}
