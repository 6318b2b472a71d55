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

/// An answer on its way; boxed because the queue of them is polled in place.
type Waiting = Pin<Box<dyn Future<Output = Result<Answer, RequestError>>>>;

/// What came first.
enum Event {
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
    let (mut told, mut interrupts, mut person) = (false, 0, true);
    loop {
        // Answers come before the end that follows them, and the network before the person.
        let event = tokio::select! { biased;
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
            Event::Wish(Some(Wish::Line(line))) => match client.submit(line).await {
                Ok(pending) => answers.push_back(Box::pin(Pending::answer(pending))),
                Err(error) => terminal.write(&error.to_string()),
            },
            Event::Wish(Some(Wish::End)) => begin_close(client, terminal),
            Event::Wish(Some(Wish::Interrupt)) => {
                interrupts += 1;
                match interrupts {
                    1 => begin_close(client, terminal),
                    _ => client.abort(),
                }
            }
            Event::Wish(None) => {
                person = false;
                begin_close(client, terminal);
            }
        }
    }
}

/// Ends politely while the loop goes on showing what comes.
fn begin_close(client: &Client, terminal: &mut Terminal) {
    terminal.ending();
    let client = client.clone();
    tokio::spawn(async move { client.close().await });
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
