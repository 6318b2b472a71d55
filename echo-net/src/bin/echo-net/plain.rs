//! The plain wire, at a prompt and from a pipe.

use crate::answer::Show;
use crate::exit::{Conclusion, Exit, fail, say};
use crate::input::Input;
use crate::output::Output;
use crate::signals::Signals;
use crate::standard::STALLED;
use crate::terminal::{Terminal, UserCommand};
use crate::utf8::complete;
use echo_net::echo_core::{Deadlines, Outcome};
use echo_net::{ClientConfig, EchoCheck, Transport, converse_plainly, printable};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::process::ExitCode;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::sync::mpsc::error::SendError;
use tokio::sync::mpsc::{self, OwnedPermit};
use tokio::time::sleep;

/// Maximum bytes sent that have not come back. A server that only reads gets no more.
const MOST_OUTSTANDING: u64 = 4 * 1024 * 1024;
/// Received text without a newline is shown after this time without input.
const QUIET: Duration = Duration::from_millis(20);
/// Received text longer than this is shown at once.
const LONGEST_SHOWN: usize = 64 * 1024;
/// Lines that a user can type while the server does not read.
const TYPED_AHEAD: usize = 64;

/// Runs a conversation at a prompt. Each line is sent with its newline, and received text is shown at once.
pub(crate) async fn at_prompt(
    stream: impl Transport,
    config: ClientConfig,
    server: &str,
    show: Show,
    signals: Signals,
) -> ExitCode {
    let mut terminal = match Terminal::open() {
        Ok(terminal) => terminal,
        Err(error) => return fail(Exit::System, &format!("cannot use the terminal: {error}")),
    };
    terminal.write(&format!("connected to {server}, plain; an empty line or Ctrl-D ends the conversation"));
    let came_back = RefCell::new(EchoCheck::default());
    let (outgoing, inbox) = mpsc::channel(TYPED_AHEAD);
    let (texts, mut shown) = mpsc::unbounded_channel();
    let on_text = |text: &[u8]| {
        came_back.borrow_mut().came(text);
        // The receiver lives as long as this conversation.
        let _ = texts.send(text.to_vec());
    };
    let mut conversation = Box::pin(converse_plainly(stream, config, inbox, on_text, |_| Poll::Ready(())));
    let mut outgoing = Some(outgoing);
    let mut unshown = Unshown::default();
    let mut interrupted = false;
    let mut waiting = pin!(patience(&signals, config));
    let outcome = loop {
        tokio::select! { biased;
            Some(text) = shown.recv() => unshown.show_lines(&text, &mut terminal),
            outcome = &mut conversation => break Some(outcome),
            _ = signals.reached(if interrupted { 1 } else { 2 }) => break None,
            () = &mut waiting => break None,
            _ = signals.reached(1), if outgoing.is_some() => {
                terminal.ending();
                outgoing = None;
            }
            () = sleep(QUIET), if unshown.waits() => unshown.show_rest(&mut terminal),
            command = terminal.next_command() => match (command, &outgoing) {
                (UserCommand::Line(line), Some(open)) => {
                    let bytes = format!("{line}\n").into_bytes();
                    match open.try_send(bytes.clone()) {
                        Ok(()) => came_back.borrow_mut().sent(&bytes),
                        Err(_) => terminal.not_sent("the server does not read", &line),
                    }
                }
                (UserCommand::Interrupt, None) | (UserCommand::Insist, _) => break None,
                (command @ (UserCommand::Line(_) | UserCommand::End | UserCommand::Interrupt), _) => {
                    interrupted |= command == UserCommand::Interrupt;
                    terminal.ending();
                    outgoing = None;
                }
            },
        }
    };
    // If the program does not wait for the end, this drops the connection.
    drop(conversation);
    while let Ok(text) = shown.try_recv() {
        unshown.show_lines(&text, &mut terminal);
    }
    unshown.show_all(&mut terminal);
    let not_sent = terminal.close(&signals).await;
    conclude(outcome.as_ref(), &came_back.borrow(), show, not_sent, &signals)
}

/// Limits the wait after a signal to the time in which a framed conversation ends. Without a signal the server has its
/// usual time to answer.
async fn patience(signals: &Signals, config: ClientConfig) {
    signals.reached(1).await;
    sleep(Deadlines::default().shutdown.min(config.connection.deadlines.shutdown)).await;
}

/// Received text that is not yet shown.
#[derive(Default)]
struct Unshown(Vec<u8>);

impl Unshown {
    fn show_lines(&mut self, text: &[u8], terminal: &mut Terminal) {
        self.0.extend_from_slice(text);
        let Some(end) = self.0.iter().rposition(|byte| *byte == b'\n') else {
            return if self.0.len() > LONGEST_SHOWN {
                self.show_rest(terminal)
            };
        };
        let rest = self.0.split_off(end + 1);
        self.0.pop();
        for line in std::mem::replace(&mut self.0, rest).split(|byte| *byte == b'\n') {
            terminal.write(&printable(line));
        }
    }

    /// Returns whether some of the text can be shown before its line is complete.
    fn waits(&self) -> bool {
        complete(&self.0) > 0
    }

    /// Shows the text, but not an incomplete character at its end.
    fn show_rest(&mut self, terminal: &mut Terminal) {
        let rest = self.0.split_off(complete(&self.0));
        self.show_all(terminal);
        self.0 = rest;
    }

    fn show_all(&mut self, terminal: &mut Terminal) {
        let rest = std::mem::take(&mut self.0);
        if !rest.is_empty() {
            terminal.write(&printable(&rest));
        }
    }
}

/// Copies standard input to the server and received bytes to standard output, unchanged.
pub(crate) async fn from_pipe(stream: impl Transport, config: ClientConfig, show: Show, signals: Signals) -> ExitCode {
    let opened = Output::start().and_then(|output| Ok((output, Input::bytes()?)));
    let (output, mut input) = match opened {
        Ok(opened) => opened,
        Err(error) => return fail(Exit::System, &format!("cannot start: {error}")),
    };
    let came_back = RefCell::new(EchoCheck::default());
    let (outgoing, inbox) = mpsc::channel(1);
    let incoming = RefCell::new(Incoming::new(output.sender()));
    let (progress, in_hand) = (Notify::new(), Cell::new(0));
    let on_text = |text: &[u8]| {
        came_back.borrow_mut().came(text);
        incoming.borrow_mut().texts.push_back(text.to_vec());
        progress.notify_one();
    };
    let room = |cx: &mut Context<'_>| incoming.borrow_mut().poll_written(cx);
    let pump = Pump { input: &mut input, in_hand: &in_hand, came_back: &came_back, progress: &progress };
    let outcome = tokio::select! { biased;
        outcome = converse_plainly(stream, config, inbox, on_text, room) => Some(outcome),
        _ = signals.reached(2) => None,
        () = patience(&signals, config) => None,
        never = keep_writing(&incoming) => match never {},
        never = pump.run(outgoing, output.sender(), &signals) => match never {},
    };
    let writing = async {
        poll_fn(|cx| incoming.borrow_mut().poll_written(cx)).await;
        drop(incoming);
        output.finish().await.err().map(|error| format!("cannot write the received bytes: {error}"))
    };
    let written = tokio::select! { biased;
        written = writing => written,
        () = async { signals.reached(2).await; sleep(STALLED).await } => Some("nobody reads the output".to_owned()),
    };
    let left = input.finish(in_hand.get()).await;
    conclude(outcome.as_ref(), &came_back.borrow(), show, written.into_iter().chain(left), &signals)
}

/// Writes text received in the present poll of the conversation, which polls for room only at its next read.
async fn keep_writing(incoming: &RefCell<Incoming>) -> Infallible {
    poll_fn(|cx| {
        // The result does not matter: new text wakes the task, and so does room for waiting text.
        let _ = incoming.borrow_mut().poll_written(cx);
        Poll::Pending
    })
    .await
}

/// Sends standard input.
struct Pump<'a> {
    input: &'a mut Input,
    /// Bytes that were taken and are not yet sent.
    in_hand: &'a Cell<usize>,
    came_back: &'a RefCell<EchoCheck>,
    progress: &'a Notify,
}

impl Pump<'_> {
    /// Sends while bytes come back and can be written. Then waits for the end.
    async fn run(
        self,
        outgoing: mpsc::Sender<Vec<u8>>,
        output: mpsc::Sender<Vec<u8>>,
        signals: &Signals,
    ) -> Infallible {
        let sending = async {
            loop {
                while self.came_back.borrow().outstanding() > MOST_OUTSTANDING {
                    self.progress.notified().await;
                }
                let Some(chunk) = self.input.next().await else { return };
                self.in_hand.set(chunk.len());
                let Ok(place) = outgoing.reserve().await else { return };
                self.came_back.borrow_mut().sent(&chunk);
                self.in_hand.set(0);
                place.send(chunk);
            }
        };
        tokio::select! { biased;
            () = output.closed() => (),
            _ = signals.reached(1) => (),
            () = sending => (),
        }
        drop(outgoing);
        std::future::pending().await
    }
}

/// Received text that waits to be written. While there is some, nothing is read.
struct Incoming {
    sender: mpsc::Sender<Vec<u8>>,
    texts: VecDeque<Vec<u8>>,
    permit: Option<Pin<Box<Reserving>>>,
}

/// A wait for room in the output.
type Reserving = dyn Future<Output = Result<OwnedPermit<Vec<u8>>, SendError<()>>>;

impl Incoming {
    fn new(sender: mpsc::Sender<Vec<u8>>) -> Self {
        Self { sender, texts: VecDeque::new(), permit: None }
    }

    /// Ready when the output has taken all text.
    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let Some(text) = self.texts.pop_front() {
            let permit = self.permit.get_or_insert_with(|| Box::pin(self.sender.clone().reserve_owned()));
            match permit.as_mut().poll(cx) {
                Poll::Ready(permit) => {
                    self.permit = None;
                    // A failed write is reported at the end.
                    drop(permit.map(|permit| permit.send(text)));
                }
                Poll::Pending => {
                    self.texts.push_front(text);
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(())
    }
}

/// Reports the result. The plain wire proves nothing, but the bytes can be compared. Without an outcome the program did
/// not wait for the end.
fn conclude(
    outcome: Option<&Outcome>,
    came_back: &EchoCheck,
    show: Show,
    problems: impl IntoIterator<Item = String>,
    signals: &Signals,
) -> ExitCode {
    let all = came_back.all();
    let bytes = if all { "every byte sent came back" } else { "not every byte sent came back" };
    match outcome {
        Some(outcome) if show == Show::Text => say(&format!("the conversation ended {}; {bytes}", outcome.end)),
        Some(_) => (),
        None => say("closed the connection without waiting for the server"),
    }
    Conclusion::new(outcome, signals).problems(problems).problems((!all).then(|| bytes.to_owned())).tell()
}
