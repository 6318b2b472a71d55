//! A RST that is sent behind data: a server answers, and drops its stream with unread input.

use super::between::between;
use std::error::Error;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::sleep;

/// How often it runs, each time with another seed.
pub(crate) const RUNS: u64 = 20;
/// What the client reads if nothing is lost.
pub(crate) const ANSWER: &str = "6 bytes, then ConnectionReset";

/// Answers, and drops the stream with unread input.
pub(crate) async fn server(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    stream.read_exact(&mut [0; 7]).await?;
    // More input comes, which is not read.
    sleep(Duration::from_millis(500)).await;
    stream.write_all(b"answer").await
}

/// Reads until it fails.
pub(crate) async fn client(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<String> {
    stream.write_all(b"request and more").await?;
    let mut text = Vec::new();
    let end = match stream.read_to_end(&mut text).await {
        Ok(_) => "the end".to_owned(),
        Err(error) => format!("{:?}", error.kind()),
    };
    Ok(format!("{} bytes, then {end}", text.len()))
}

pub(crate) fn on_turmoil() -> Result<String, Box<dyn Error>> {
    let mut lost = 0;
    for seed in 0..RUNS {
        let mut builder = turmoil::Builder::new();
        builder.rng_seed(seed);
        builder.min_message_latency(Duration::from_millis(1)).max_message_latency(Duration::from_millis(100));
        let got = between(builder.build(), server, client)?;
        lost += u64::from(got != ANSWER);
    }
    Ok(report(lost))
}

/// Returns the text for the number of runs in which the answer was lost.
pub(crate) fn report(lost: u64) -> String {
    match lost {
        0 => format!("the answer arrives in all of {RUNS} runs"),
        _ => format!("the answer is lost in some of {RUNS} runs"),
    }
}
