//! A server that counts: it runs INCR, and says OK to all else.

use super::Served;
use crate::patience::within_patience;
use sim_tests::trial::TrialStream;
use std::io;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};

pub(super) async fn serve(stream: TrialStream) -> Served {
    within_patience(async {
        let notes = stream.notes();
        let mut stream = BufStream::new(stream);
        let mut n = 0;
        while let Some(command) = read_command(&mut stream).await? {
            let answer = match command[0].to_ascii_uppercase().as_str() {
                "INCR" | "INCRBY" => {
                    notes.note("INCR");
                    n += 1;
                    format!(":{n}\r\n")
                }
                _ => "+OK\r\n".to_owned(),
            };
            stream.write_all(answer.as_bytes()).await?;
            stream.flush().await?;
        }
        io::Result::Ok(())
    })
    .await
}

/// Reads an array of bulk strings; `None` at the end between two commands.
async fn read_command(stream: &mut BufStream<TrialStream>) -> io::Result<Option<Vec<String>>> {
    let Some(count) = read_number(stream, '*').await? else { return Ok(None) };
    let mut words = Vec::new();
    for _ in 0..count {
        let len = read_number(stream, '$').await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut word = vec![0; len + 2];
        stream.read_exact(&mut word).await?;
        word.truncate(len);
        words.push(String::from_utf8_lossy(&word).into_owned());
    }
    if words.is_empty() { Err(io::ErrorKind::InvalidData.into()) } else { Ok(Some(words)) }
}

async fn read_number(stream: &mut BufStream<TrialStream>, mark: char) -> io::Result<Option<usize>> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    let number = line.strip_suffix("\r\n").and_then(|line| line.strip_prefix(mark)).and_then(|text| text.parse().ok());
    number.map(Some).ok_or_else(|| io::ErrorKind::InvalidData.into())
}
