//! A service as it would be operated: limits, deadlines, metrics, and a drain on SIGTERM or Ctrl-C in which what was accepted
//! is answered. It sends itself the requests and the signal.
//!
//! A call may take 6 s, longer than the drain waits by default (4 s). So the server's ending deadlines are longer here, and
//! so are the client's: it would give up before its answer.

use echo_net::echo_core::{CloseCode, Deadlines, Failure};
use echo_net::{Client, ClientConfig, Metrics, Request, Response, ServerConfig, TcpListeners, serve, service_fn};
use std::error::Error;
use std::time::Duration;
use tokio::signal::ctrl_c;
use tokio::time::sleep;

/// Waits as many milliseconds as the request says.
async fn answer(request: Request) -> Result<Response, Failure> {
    let text = String::from_utf8_lossy(&request.payload).into_owned();
    let millis = text.parse().map_err(|_| Failure::new(CloseCode(4000), "expected a number of milliseconds"))?;
    sleep(Duration::from_millis(millis)).await;
    Ok(Response::new(format!("after {millis} ms")))
}

/// The deadlines of both sides for an ending in which a call of 6 s is answered.
fn patient(mut deadlines: Deadlines) -> Deadlines {
    (deadlines.drain, deadlines.shutdown) = (Duration::from_secs(8), Duration::from_secs(8));
    deadlines
}

/// Waits for SIGTERM or Ctrl-C.
async fn stopped() {
    #[cfg(unix)]
    if let Ok(mut terminated) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        tokio::select! { biased;
            _ = terminated.recv() => return,
            _ = ctrl_c() => return,
        }
    }
    drop(ctrl_c().await);
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let metrics = Metrics::default();
    let mut config = ServerConfig::default();
    (config.max_connections, config.max_calls) = (100, 50);
    config.connection.limit = 4096;
    config.connection.plain_wire = false; // a line of another program is no request
    config.connection.deadlines = patient(config.connection.deadlines);
    (config.call_deadline, config.ending_call_deadline) = (Duration::from_secs(6), Duration::from_secs(6));
    config.metrics = Some(metrics.clone());
    let listeners = TcpListeners::bind("127.0.0.1:0").await?;
    let address = listeners.local_addrs()?[0];
    let server = tokio::spawn(serve(listeners, service_fn(answer), config, stopped()));

    let mut config = ClientConfig::default();
    config.connection.limit = 4096;
    config.connection.deadlines = patient(config.connection.deadlines);
    let client = Client::connect(address, config).await?;
    let quick = client.request("10").await?;
    println!("{}", String::from_utf8_lossy(&quick.payload));
    println!("{}", client.request("soon").await.expect_err("no number"));
    let slow = client.submit("1000").await?;
    while metrics.read().running_calls == 0 {
        sleep(Duration::from_millis(1)).await;
    }
    // What an operator does.
    std::process::Command::new("kill").args(["-s", "TERM", &std::process::id().to_string()]).status()?;
    println!("in the drain: {}", String::from_utf8_lossy(&slow.answer().await?.payload));
    println!("the client: {}", client.ended().await);
    println!("the server: {}", server.await?);
    Ok(())
}
