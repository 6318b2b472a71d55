//! A very small protocol: one question, and one answer after its length.

use sim_tests::trial::{TrialRun, TrialStream};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

pub(crate) const ANSWER: &[u8] = b"a whole answer";
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);

pub(crate) type Answer = io::Result<Vec<u8>>;

/// Sends the question. Takes the answer for complete after as many bytes as its first byte announces.
pub(crate) async fn ask(mut stream: TrialStream) -> Answer {
    timeout(PATIENCE, async {
        stream.write_all(b"?").await?;
        let mut answer = vec![0; stream.read_u8().await?.into()];
        stream.read_exact(&mut answer).await?;
        Ok(answer)
    })
    .await?
}

/// Answers in two pieces, and waits for the client's FIN.
pub(crate) async fn answer(mut stream: TrialStream) -> io::Result<()> {
    timeout(PATIENCE, async {
        stream.read_u8().await?;
        stream.write_all(&[ANSWER.len() as u8]).await?;
        stream.write_all(&ANSWER[..7]).await?;
        stream.write_all(&ANSWER[7..]).await?;
        stream.read_to_end(&mut Vec::new()).await?;
        Ok(())
    })
    .await?
}

/// A client must not take a part for the whole.
pub(crate) fn whole_or_nothing<S>(run: &TrialRun<Answer, S>) -> Result<(), String> {
    match run.client.returned() {
        Some(Ok(answer)) if answer != ANSWER => Err("a part passes for the whole".to_owned()),
        Some(_) | None => Ok(()),
    }
}
