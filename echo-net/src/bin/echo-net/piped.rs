//! Lines from a pipe on the framed wire: each line is a message, each answer is a line.

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

/// Options of a conversation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    pub(crate) show: Show,
    /// An empty message is sent after this time without a message.
    pub(crate) ping: Duration,
}

/// Maximum number of requests whose answers are not written yet.
const AHEAD: usize = 64;

/// A message that was sent, and the future of its answer.
struct Asked {
    message: Vec<u8>,
    pending: Pending,
    /// Whether it is not from the input, but only checks that the server answers.
    is_ping: bool,
}

/// Sends standard input line by line and writes the answers in order. Ends with the input or the conversation.
pub(crate) async fn run(client: Client, limit: usize, options: Options, signals: Signals) -> ExitCode {
    let Options { show, ping } = options;
    let opened = Output::start().and_then(|output| Ok((output, Input::lines(limit)?)));
    let (output, mut input) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            client.abort();
            return fail(Exit::System, &format!("cannot start: {error}"));
        }
    };
    let obeying = tokio::spawn(obey(client.clone(), signals.clone()));
    let talking = async {
        let (sender, asked) = mpsc::channel(AHEAD);
        let asking = ask(&client, &mut input, ping, sender, &signals);
        let (in_hand, tally) = tokio::join!(asking, write_answers(asked, show, output.sender()));
        let outcome = tally.with_refusals(client.close().await);
        let left = input.finish(in_hand).await;
        if show == Show::Json {
            // A failure is reported by the end of the output.
            let _ = output.sender().send(show.end(&outcome, &tally.latency)).await;
        }
        let written = output.finish().await.err().map(|error| format!("cannot write the answers: {error}"));
        (outcome, tally, left, written)
    };
    let insisting = async {
        signals.reached(2).await;
        // Leave time to write the answers, because then the end can be reported.
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

/// Ends the conversation at the first signal, even if the answers are not read, and aborts it at the second.
pub(crate) async fn obey(client: Client, signals: Signals) {
    signals.reached(1).await;
    tokio::select! { biased;
        _ = signals.reached(2) => client.abort(),
        _ = client.close() => (),
    }
}

/// Sends each line until the input or the conversation ends. Returns how many lines were taken and not sent.
async fn ask(
    client: &Client,
    input: &mut Input,
    ping: Duration,
    sender: mpsc::Sender<Asked>,
    signals: &Signals,
) -> usize {
    loop {
        let next = async {
            // Read only what can be answered.
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
        // This waits for the server, but not without end: any end of the conversation refuses the request.
        let Ok(pending) = client.submit(message.clone()).await else { return usize::from(!is_ping) };
        place.send(Asked { message, pending, is_ping });
    }
}

/// Writes the answers while that is possible.
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
