//! A client and a server that speak a small protocol: a request is one byte, its answer six. They are right.

use sim_tests::trial::{TrialNet, TrialStream};
use std::io::{self, ErrorKind};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

pub(super) const ANSWER: &[u8] = b"answer";

pub(super) type Answered = io::Result<Vec<u8>>;

const PATIENCE: Duration = Duration::from_secs(2);

/// Asks once, on a connection of its own.
pub(super) async fn ask(net: TrialNet) -> Answered {
    let ask = async {
        let mut stream = net.connect(80).await?;
        request(&mut stream).await
    };
    timeout(PATIENCE, ask).await?
}

pub(super) async fn request(stream: &mut TrialStream) -> Answered {
    stream.write_all(b"?").await?;
    let mut answer = [0; ANSWER.len()];
    stream.read_exact(&mut answer).await?;
    Ok(answer.to_vec())
}

pub(super) async fn serve(net: TrialNet) -> io::Result<()> {
    let listener = net.listen(80)?;
    loop {
        // Without file descriptors, the next accept may succeed.
        if let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(requests(stream));
        }
    }
}

/// Answers the requests of a connection. A silent client is let go.
pub(super) async fn requests(mut stream: TrialStream) -> io::Result<()> {
    loop {
        match timeout(PATIENCE, stream.read_u8()).await? {
            Ok(_) => timeout(PATIENCE, stream.write_all(ANSWER)).await??,
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}
