//! How many runs a second a trial of a small protocol makes.

use divan::Bencher;
use divan::counter::ItemsCount;
use sim_tests::trial::{Trial, TrialRun, TrialStream};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(5);

async fn client(mut stream: TrialStream) -> io::Result<Vec<u8>> {
    timeout(PATIENCE, async {
        stream.write_all(b"?").await?;
        stream.shutdown().await?;
        let mut answer = vec![0; stream.read_u8().await?.into()];
        stream.read_exact(&mut answer).await?;
        Ok(answer)
    })
    .await?
}

async fn server(mut stream: TrialStream) -> io::Result<()> {
    timeout(PATIENCE, async {
        stream.read_to_end(&mut Vec::new()).await?;
        stream.write_all(b"\x05hello").await
    })
    .await?
}

fn check(run: &TrialRun<io::Result<Vec<u8>>, io::Result<()>>) -> Result<(), String> {
    match run.client.returned() {
        Some(Ok(answer)) if answer != b"hello" => Err(format!("{answer:?} passes for the answer")),
        _ => Ok(()),
    }
}

/// A request of one byte and an answer of six, with deadlines of 5 s: all faults on all networks.
#[divan::bench]
fn request_and_answer(bencher: Bencher<'_, '_>) {
    let trial = Trial::new(client, server, check);
    let runs = trial.run().runs;
    bencher.counter(ItemsCount::new(runs)).bench_local(|| trial.run());
}

fn main() {
    divan::main();
}
