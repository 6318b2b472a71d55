//! Lines from a pipe, on the framed wire: each line is a message, each answer a line.

use crate::answer::Show;
use crate::exit::{Conclusion, Exit, fail};
use crate::input::Input;
use crate::output::{Output, STALLED};
use crate::signals::Signals;
use crate::tally::Tally;
use echo_net::{Client, Pending};
use std::process::ExitCode;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::sleep;

/// How a conversation is led.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    pub(crate) show: Show,
    /// An empty message is sent when nothing else was for so long.
    pub(crate) ping: Duration,
}

/// Requests whose answers are not written yet.
const AHEAD: usize = 64;

/// A message that was sent, and the token for its answer.
struct Asked {
    message: Vec<u8>,
    pending: Pending,
    /// Not of the input: only to hear whether the server still answers.
    is_ping: bool,
}

/// Sends standard input line by line and writes the answers in order; ends when the input does, or the conversation.
pub(crate) async fn run(client: Client, limit: usize, options: Options, signals: Signals) -> ExitCode {
    let Options { show, ping } = options;
    let opened = Output::start().and_then(|output| Ok((output, Input::lines(limit)?)));
    let (output, mut input) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            client.abort();
            return fail(Exit::System, &format!("cannot begin: {error}"));
        }
    };
    let talking = async {
        let (sender, asked) = mpsc::channel(AHEAD);
        let asking = async {
            let in_hand = ask(&client, &mut input, ping, sender, &signals).await;
            if signals.first().is_some() {
                // Whether or not somebody reads the answers: they come, or are refused, and the end is clean.
                client.close().await;
            }
            in_hand
        };
        let (in_hand, tally) = tokio::join!(asking, write_answers(asked, show, output.sender()));
        let outcome = client.close().await;
        let left = input.finish(in_hand).await;
        if show == Show::Json {
            // That it cannot be written, the end of the output tells.
            let _ = output.sender().send(show.end(&outcome, &tally.latency)).await;
        }
        let written = output.finish().await.err().map(|error| format!("cannot write the answers: {error}"));
        (outcome, tally, left, written)
    };
    let insisting = async {
        signals.reached(2).await;
        client.abort();
        // If the answers can still be written, how it ended can be told.
        sleep(STALLED).await;
    };
    tokio::select! { biased;
        (outcome, tally, left, written) = talking => {
            show.tell(&outcome, &tally.latency);
            Conclusion::new(&outcome, &signals).problem(left).problem(written).problem(tally.problem()).tell()
        }
        () = insisting => {
            Conclusion::without_end(&signals).problem("nobody reads the answers".to_owned()).tell()
        }
    }
}

pub(crate) async fn abort_at_second_signal(client: Client, signals: Signals) {
    signals.reached(2).await;
    client.abort();
}

/// Sends every line until the input or the conversation ends; gives how many were taken and not sent.
async fn ask(
    client: &Client,
    input: &mut Input,
    ping: Duration,
    sender: mpsc::Sender<Asked>,
    signals: &Signals,
) -> usize {
    loop {
        let line = tokio::select! { biased;
            _ = client.leaving() => return 0,
            _ = signals.reached(1) => return 0,
            () = sender.closed() => return 0,
            line = input.next() => match line {
                Some(line) => Some(line),
                None => return 0,
            },
            () = sleep(ping) => None,
        };
        let is_ping = line.is_none();
        let message = line.unwrap_or_default();
        let Ok(pending) = client.submit(message.clone()).await else { return usize::from(!is_ping) };
        // If nobody writes answers any more, they are not missed.
        if sender.send(Asked { message, pending, is_ping }).await.is_err() {
            return 0;
        }
    }
}

/// Writes the answers, while that is possible.
async fn write_answers(mut asked: mpsc::Receiver<Asked>, show: Show, output: mpsc::Sender<Vec<u8>>) -> Tally {
    let mut tally = Tally::default();
    while let Some(Asked { message, pending, is_ping }) = asked.recv().await {
        let answer = pending.answer().await;
        tally.add(&message, &answer);
        if let Ok(answer) = answer
            && !is_ping
            && output.send(show.answer(&answer)).await.is_err()
        {
            break;
        }
    }
    tally
}
