//! A server and a client on turmoil.

use std::error::Error;
use std::future::{Future, pending};
use std::io;
use std::sync::mpsc;
use turmoil::Sim;
use turmoil::net::{TcpListener, TcpStream};

/// Runs `server` and `client` with the two ends of a connection. Returns what the client observes.
pub(super) fn between<S, C>(
    mut sim: Sim<'_>,
    server: impl Fn(TcpStream) -> S + Copy + 'static,
    client: impl FnOnce(TcpStream) -> C + 'static,
) -> Result<String, Box<dyn Error>>
where
    S: Future<Output = io::Result<()>>,
    C: Future<Output = io::Result<String>>,
{
    let (result, observed) = mpsc::channel();
    sim.host("server", move || async move {
        let listener = TcpListener::bind("0.0.0.0:2012").await?;
        let (stream, _) = listener.accept().await?;
        server(stream).await?;
        pending().await
    });
    sim.client("client", async move {
        let stream = TcpStream::connect("server:2012").await?;
        result.send(client(stream).await?)?;
        Ok(())
    });
    sim.run()?;
    Ok(observed.recv()?)
}
