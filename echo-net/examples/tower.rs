//! A stack of tower as a service: at most two requests run at once, and each has a tenth of a second.

use echo_net::echo_core::{CloseCode, Failure};
use echo_net::{Client, ClientConfig, Request, RequestError, Response, ServerConfig, TowerService, serve};
use std::error::Error;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::sleep;
use tower::{BoxError, ServiceBuilder};

/// Sleeps as many milliseconds as the request says.
async fn sleepy(request: Request) -> Result<Response, BoxError> {
    let millis = std::str::from_utf8(&request.payload)?.trim().parse()?;
    sleep(Duration::from_millis(millis)).await;
    Ok(Response::new(format!("slept {millis} ms")))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let service = ServiceBuilder::new()
        .map_err(|error: BoxError| Failure::new(CloseCode::TRY_LATER, error.to_string()))
        .concurrency_limit(2)
        .timeout(Duration::from_millis(100))
        .service_fn(sleepy);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = serve(listener, TowerService::new(service), ServerConfig::default(), std::future::pending());
    tokio::spawn(server);

    let client = Client::connect(address, ClientConfig::default()).await?;
    for text in ["10", "60000", "tea"] {
        match client.request(text).await {
            Ok(answer) => println!("{text}: {}", String::from_utf8_lossy(&answer.payload)),
            Err(RequestError::Failed(failure)) => println!("{text}: failed: {}", failure.text),
            Err(error) => return Err(error.into()),
        }
    }
    println!("the end was {}", client.close().await);
    Ok(())
}
