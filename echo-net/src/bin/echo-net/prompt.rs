//! A person at a prompt, on the framed wire.

use crate::answer::header;
use crate::exit::{Exit, conclude, fail};
use crate::terminal::{Terminal, Wish};
use echo_net::echo_core::{Farewell, Outcome};
use echo_net::{Answer, Client, Pending, RequestError, printable};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::process::ExitCode;
use tokio::sync::mpsc;

/// An answer on its way; boxed because the queue of them is polled in place.
type Waiting = Pin<Box<dyn Future<Output = Result<Answer, RequestError>>>>;

/// What came first.
enum Event {
    Sent(Result<Pending, RequestError>),
    Ended(Outcome),
    Leaving(Option<Farewell>),
    Answer(Result<Answer, RequestError>),
    Wish(Option<Wish>),
}

/// Talks until the conversation has ended, and says how. What the server does is shown at once, whatever stands at
/// the prompt.
pub(crate) async fn run(client: Client, server: &str) -> ExitCode {
    let mut terminal = match Terminal::open() {
        Ok(terminal) => terminal,
        Err(error) => return fail(Exit::System, &format!("cannot use the terminal: {error}")),
    };
    terminal.write(&format!("connected to {server}; an empty line or Ctrl-D ends the conversation"));
    let outcome = talk(&client, &mut terminal).await;
    terminal.close();
    conclude(&outcome)
}

async fn talk(client: &Client, terminal: &mut Terminal) -> Outcome {
    let mut answers: VecDeque<Waiting> = VecDeque::new();
    // Lines wait here for their turn, so that a server that takes none yet does not stop the prompt.
    let (lines, typed) = mpsc::unbounded_channel();
    let (sent, mut sending) = mpsc::unbounded_channel();
    tokio::spawn(send_lines(client.clone(), typed, sent));
    let mut lines = Some(lines);
    let (mut told, mut person) = (false, true);
    loop {
        // Answers come before the end that follows them, and the network before the person.
        let event = tokio::select! { biased;
            Some(sent) = sending.recv() => Event::Sent(sent),
            answer = next(&mut answers) => Event::Answer(answer),
            outcome = client.ended() => Event::Ended(outcome),
            farewell = client.leaving(), if !told => Event::Leaving(farewell),
            wish = terminal.wish(), if person => Event::Wish(wish.ok()),
        };
        match event {
            Event::Answer(answer) => show(terminal, answer),
            Event::Ended(outcome) => return outcome,
            Event::Leaving(farewell) => {
                told = true;
                terminal.ending();
                if let Some(farewell) = farewell {
                    let reason = printable(farewell.reason.as_bytes());
                    terminal.write(&format!("the server leaves: {} ({reason})", farewell.code));
                }
            }
            Event::Sent(Ok(pending)) => answers.push_back(Box::pin(Pending::answer(pending))),
            Event::Sent(Err(error)) => terminal.write(&error.to_string()),
            Event::Wish(Some(Wish::Line(line))) => {
                if let Some(lines) = &lines {
                    // The task that sends them lives as long as there are lines to come.
                    let _ = lines.send(line);
                }
            }
            Event::Wish(Some(Wish::Interrupt)) if lines.is_none() => client.abort(),
            Event::Wish(wish) => {
                person = wish.is_some();
                terminal.ending();
                lines = None;
            }
        }
    }
}

/// Sends what was typed, in order; when no more comes, ends politely.
async fn send_lines(
    client: Client,
    mut typed: mpsc::UnboundedReceiver<String>,
    sent: mpsc::UnboundedSender<Result<Pending, RequestError>>,
) {
    while let Some(line) = typed.recv().await {
        // The prompt listens until the conversation has ended.
        let _ = sent.send(client.submit(line).await);
    }
    client.close().await;
}

async fn next(answers: &mut VecDeque<Waiting>) -> Result<Answer, RequestError> {
    match answers.front_mut() {
        Some(first) => {
            let answer = first.await;
            answers.pop_front();
            answer
        }
        None => std::future::pending().await,
    }
}

fn show(terminal: &mut Terminal, answer: Result<Answer, RequestError>) {
    match answer {
        Ok(answer) => {
            let micros = answer.stamps.delay() / 1000;
            terminal.write(&format!("{}{} ({micros} us)", header(&answer), printable(&answer.payload)));
        }
        Err(error) => terminal.write(&error.to_string()),
    }
}
