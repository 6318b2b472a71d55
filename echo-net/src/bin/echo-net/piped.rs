//! Lines from a pipe, on the framed wire: each line is a message, each answer a line.

use crate::answer::header;
use crate::exit::{Exit, conclude, fail};
use crate::output::Output;
use echo_net::{Client, Pending};
use std::io::{self, BufRead, Read};
use std::process::ExitCode;
use tokio::sync::mpsc;

/// Lines that are read ahead.
const AHEAD: usize = 64;

/// Sends standard input line by line and writes the answers in order; ends when the input does, or the conversation.
pub(crate) async fn run(client: Client, limit: usize) -> ExitCode {
    let (sender, answers) = mpsc::channel(AHEAD);
    let output = Output::start();
    let (problem, complete) = tokio::join!(ask(&client, limit, sender), write_answers(answers, output.sender()));
    let outcome = client.close().await;
    let written = output.finish().await;
    let exit = conclude(&outcome);
    match (problem, written) {
        (Some(problem), _) => fail(Exit::NotClean, &problem),
        (None, Err(error)) => fail(Exit::NotClean, &format!("cannot write the answers: {error}")),
        (None, Ok(())) if complete => exit,
        (None, Ok(())) => Exit::NotClean.into(),
    }
}

/// Sends every line until the input or the conversation ends; gives what was wrong with the input.
async fn ask(client: &Client, limit: usize, sender: mpsc::Sender<Pending>) -> Option<String> {
    let mut lines = read_lines(limit);
    loop {
        let line = tokio::select! { biased;
            _ = client.ended() => return None,
            () = sender.closed() => return None,
            line = lines.recv() => line?,
        };
        let line = match line {
            Ok(line) => line,
            Err(problem) => return Some(problem),
        };
        let pending = match client.submit(line).await {
            Ok(pending) => pending,
            Err(_) => return None,
        };
        if sender.send(pending).await.is_err() {
            return None;
        }
    }
}

/// Reads standard input in a thread, for a read of it cannot be given up.
fn read_lines(limit: usize) -> mpsc::Receiver<Result<Vec<u8>, String>> {
    let (sender, receiver) = mpsc::channel(AHEAD);
    std::thread::spawn(move || {
        let mut input = io::stdin().lock();
        for number in 1u64.. {
            let line = match read_line(&mut input, limit) {
                Ok(None) => return,
                Ok(Some(line)) if line.len() > limit => {
                    Err(format!("line {number} of the input is longer than {limit} bytes (see --max-message)"))
                }
                Ok(Some(line)) => Ok(line),
                Err(error) => Err(format!("cannot read the input: {error}")),
            };
            let last = line.is_err();
            if sender.blocking_send(line).is_err() || last {
                return;
            }
        }
    });
    receiver
}

/// A line without its newline, or one byte more than `limit` of it.
fn read_line(input: &mut impl BufRead, limit: usize) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    if input.take(most).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.ends_with(b"\n") {
        line.pop();
    }
    Ok(Some(line))
}

/// Writes the answers; whether there was one for every request.
async fn write_answers(mut answers: mpsc::Receiver<Pending>, output: mpsc::Sender<Vec<u8>>) -> bool {
    let mut complete = true;
    while let Some(pending) = answers.recv().await {
        let Ok(answer) = pending.answer().await else {
            complete = false;
            continue;
        };
        let line = [header(&answer).as_bytes(), &answer.payload, b"\n"].concat();
        if output.send(line).await.is_err() {
            return false;
        }
    }
    complete
}
