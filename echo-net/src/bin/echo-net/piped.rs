//! Lines from a pipe, on the framed wire: each line is a message, each answer a line.

use crate::answer::Show;
use crate::exit::{Conclusion, Exit, fail};
use crate::input::Input;
use crate::output::Output;
use crate::signals::Signals;
use crate::standard::STALLED;
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
    let obeying = tokio::spawn(obey(client.clone(), signals.clone()));
    let talking = async {
        let (sender, asked) = mpsc::channel(AHEAD);
        let asking = ask(&client, &mut input, ping, sender, &signals);
        let (in_hand, tally) = tokio::join!(asking, write_answers(asked, show, output.sender()));
        let outcome = tally.told(client.close().await);
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
        // If the answers can still be written, how it ended can be told.
        sleep(STALLED).await;
    };
    let exit = tokio::select! { biased;
        (outcome, tally, left, written) = talking => {
            show.tell(&outcome, &tally.latency);
            Conclusion::new(&outcome, &signals).problems(left).problems(written).problems(tally.problem()).tell()
        }
        () = insisting => {
            Conclusion::new(None, &signals).problems(["nobody reads the answers".to_owned()]).tell()
        }
    };
    obeying.abort();
    exit
}

/// Ends the conversation at the first signal, whether or not somebody reads the answers, and aborts it at the second.
pub(crate) async fn obey(client: Client, signals: Signals) {
    signals.reached(1).await;
    tokio::select! { biased;
        _ = signals.reached(2) => client.abort(),
        _ = client.close() => (),
    }
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
        let next = async {
            // Nothing is read that could not be answered.
            let place = sender.reserve().await.ok()?;
            tokio::select! { biased;
                line = input.next() => Some((place, line?, false)),
                () = sleep(ping) => Some((place, Vec::new(), true)),
            }
        };
        let next = tokio::select! { biased;
            _ = client.leaving() => None,
            _ = signals.reached(1) => None,
            () = sender.closed() => None,
            next = next => next,
        };
        let Some((place, message, is_ping)) = next else { return 0 };
        // This waits for the server, but not for ever: whatever ends the conversation refuses it.
        let Ok(pending) = client.submit(message.clone()).await else { return usize::from(!is_ping) };
        place.send(Asked { message, pending, is_ping });
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
