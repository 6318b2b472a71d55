//! A prompt on the framed wire.

use crate::answer::header;
use crate::exit::{Conclusion, Exit, fail};
use crate::piped::{Options, obey};
use crate::signals::Signals;
use crate::tally::Tally;
use crate::terminal::{Terminal, UserCommand};
use echo_net::echo_core::{CloseReason, Outcome};
use echo_net::{Answer, Client, Pending, RequestError, printable};
use std::collections::VecDeque;
use std::process::ExitCode;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::sleep;

/// A message and the future of its answer.
type Waiting = (Message, Pending);

/// A message to send.
enum Message {
    Line(String),
    /// An empty message. Its answer is not shown.
    Ping,
}

impl Message {
    fn text(&self) -> &str {
        match self {
            Self::Line(line) => line,
            Self::Ping => "",
        }
    }
}

/// The next event.
enum Event {
    Sent(Message, Result<Pending, RequestError>),
    Ended(Outcome),
    Leaving(Option<CloseReason>),
    Answer(Message, Result<Answer, RequestError>),
    Quiet,
    Signal,
    Command(UserCommand),
    Insist,
}

/// Runs the conversation until it ends, and reports how. What the server does is shown at once, above the prompt.
pub(crate) async fn run(client: Client, server: &str, options: Options, signals: Signals) -> ExitCode {
    let mut terminal = match Terminal::open() {
        Ok(terminal) => terminal,
        Err(error) => {
            client.abort();
            return fail(Exit::System, &format!("cannot use the terminal: {error}"));
        }
    };
    terminal.write(&format!("connected to {server}; an empty line or Ctrl-D ends the conversation"));
    let obeying = tokio::spawn(obey(client.clone(), signals.clone()));
    let mut tally = Tally::default();
    let outcome = talk(&client, &mut terminal, &mut tally, options.ping, &signals).await;
    obeying.abort();
    let outcome = tally.with_refusals(outcome);
    let not_sent = terminal.close(&signals).await;
    options.show.tell(&outcome, &tally.latency);
    Conclusion::new(&outcome, &signals).problems(not_sent).problems(tally.problem()).tell()
}

async fn talk(
    client: &Client,
    terminal: &mut Terminal,
    tally: &mut Tally,
    ping: Duration,
    signals: &Signals,
) -> Outcome {
    let mut answers: VecDeque<Waiting> = VecDeque::new();
    // Messages wait here, so that the prompt works while the server takes none.
    let (messages, outgoing) = mpsc::unbounded_channel();
    let (sent, mut sending) = mpsc::unbounded_channel();
    tokio::spawn(send_messages(client.clone(), outgoing, sent));
    let mut messages = Some(messages);
    let (mut leaving_shown, mut interrupted, mut insisted) = (false, false, false);
    loop {
        // Answers come before the end that follows them, and the network comes before the user.
        let event = tokio::select! { biased;
            Some((message, sent)) = sending.recv() => Event::Sent(message, sent),
            (message, answer) = next(&mut answers) => Event::Answer(message, answer),
            outcome = client.ended() => Event::Ended(outcome),
            close_reason = client.leaving(), if !leaving_shown => Event::Leaving(close_reason),
            _ = signals.reached(1), if messages.is_some() => Event::Signal,
            // Ctrl-C was the first request to end, so one signal is the second.
            _ = signals.reached(1), if interrupted && !insisted => Event::Insist,
            command = terminal.next_command() => Event::Command(command),
            () = sleep(ping), if messages.is_some() => Event::Quiet,
        };
        match event {
            Event::Answer(message, answer) => {
                tally.add(message.text().as_bytes(), &answer);
                show(terminal, &message, answer);
            }
            Event::Ended(outcome) => return outcome,
            Event::Leaving(close_reason) => {
                leaving_shown = true;
                terminal.ending();
                if let Some(close_reason) = close_reason {
                    let reason = printable(close_reason.text.as_bytes());
                    terminal.write(&format!("the server ends the conversation: {} ({reason})", close_reason.code));
                }
            }
            Event::Sent(message, Ok(pending)) => answers.push_back((message, pending)),
            Event::Sent(Message::Line(line), Err(error)) => terminal.not_sent(&error.to_string(), &line),
            Event::Sent(Message::Ping, Err(_)) => (),
            Event::Quiet => send(&messages, Message::Ping),
            Event::Command(UserCommand::Line(line)) => send(&messages, Message::Line(line)),
            Event::Insist | Event::Command(UserCommand::Insist) => {
                insisted = true;
                client.abort();
            }
            Event::Command(UserCommand::Interrupt) if messages.is_none() => client.abort(),
            Event::Command(command @ (UserCommand::End | UserCommand::Interrupt)) => {
                interrupted = command == UserCommand::Interrupt;
                terminal.ending();
                messages = None;
            }
            Event::Signal => {
                terminal.ending();
                messages = None;
            }
        }
    }
}

fn send(messages: &Option<mpsc::UnboundedSender<Message>>, message: Message) {
    if let Some(messages) = messages {
        // The receiving task lives while messages may follow.
        let _ = messages.send(message);
    }
}

/// Sends typed messages in order. When no more follow, it closes the conversation.
async fn send_messages(
    client: Client,
    mut messages: mpsc::UnboundedReceiver<Message>,
    sent: mpsc::UnboundedSender<(Message, Result<Pending, RequestError>)>,
) {
    while let Some(message) = messages.recv().await {
        let submitted = client.submit(message.text()).await;
        // The receiver lives until the conversation has ended.
        let _ = sent.send((message, submitted));
    }
    client.close().await;
}

async fn next(answers: &mut VecDeque<Waiting>) -> (Message, Result<Answer, RequestError>) {
    let Some((_, first)) = answers.front_mut() else { return std::future::pending().await };
    let answer = first.await;
    match answers.pop_front() {
        Some((message, _)) => (message, answer),
        None => std::future::pending().await,
    }
}

fn show(terminal: &mut Terminal, message: &Message, answer: Result<Answer, RequestError>) {
    match (message, answer) {
        (Message::Ping, _) => (),
        (Message::Line(line), Ok(answer)) => {
            let micros = answer.stamps.delay() / 1000;
            let text = printable(&answer.payload);
            let changed = if line.as_bytes() == answer.payload { "" } else { ", NOT what was sent" };
            terminal.write(&format!("{}{text} ({micros} us{changed})", header(&answer)));
        }
        (Message::Line(line), Err(error)) => terminal.write(&format!("{error}: {}", printable(line.as_bytes()))),
    }
}
