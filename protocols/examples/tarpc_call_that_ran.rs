//! tarpc: a call that has run ends with `RpcError::Shutdown`, "the connection to the server was already shutdown", if the
//! server's connection ends while the call is under way. Whoever reads it calls again, and the call runs twice.
//!
//! Plain tokio sockets. The server runs the call, and its connection ends before the answer.

use futures_util::StreamExt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;
use tarpc::context::{self, Context};
use tarpc::server::{BaseChannel, Channel};
use tarpc::tokio_serde::formats::Bincode;
use tarpc::tokio_util::codec::{Framed, LengthDelimitedCodec};
use tarpc::{ClientMessage, Response, serde_transport};
use tokio::net::{TcpListener, TcpStream};

#[tarpc::service]
trait Counter {
    async fn add(number: u64) -> u64;
}

/// Counts its calls, and does not answer at once.
#[derive(Clone)]
struct Slow(Arc<AtomicU32>);

impl Counter for Slow {
    async fn add(self, _: Context, number: u64) -> u64 {
        self.0.fetch_add(1, SeqCst);
        tokio::time::sleep(Duration::from_secs(5)).await;
        number + 1
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let ran = Arc::new(AtomicU32::new(0));
    let counter = Slow(Arc::clone(&ran));
    let server = tokio::spawn(async move {
        let frames = Framed::new(listener.accept().await?.0, LengthDelimitedCodec::new());
        let transport = serde_transport::new::<_, ClientMessage<CounterRequest>, Response<CounterResponse>, _>(
            frames,
            Bincode::default(),
        );
        let calls = BaseChannel::with_defaults(transport).execute(counter.serve());
        // A server that is stopped: its calls, and its connection, end with it.
        let serve = calls.for_each_concurrent(None, |call| call);
        let _ = tokio::time::timeout(Duration::from_millis(300), serve).await;
        io::Result::Ok(())
    });
    let frames = Framed::new(TcpStream::connect(address).await?, LengthDelimitedCodec::new());
    let transport = serde_transport::new::<_, Response<CounterResponse>, ClientMessage<CounterRequest>, _>(
        frames,
        Bincode::default(),
    );
    let client = CounterClient::new(tarpc::client::Config::default(), transport).spawn();
    let result = client.add(context::current(), 41).await;
    server.await??;
    match (result, ran.load(SeqCst)) {
        (Err(error @ tarpc::client::RpcError::Shutdown), 1) => println!("the call ran once, and its error is: {error}"),
        (result, ran) => return Err(io::Error::other(format!("the call ran {ran} times, and returned {result:?}"))),
    }
    Ok(())
}
