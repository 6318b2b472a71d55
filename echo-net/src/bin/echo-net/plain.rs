//! The plain wire, at a prompt and from a pipe.

use crate::exit::{Exit, fail, say};
use crate::output::Output;
use crate::terminal::{Terminal, Wish};
use echo_net::echo_core::{End, Outcome};
use echo_net::{CameBack, ClientConfig, converse_plainly, printable};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io::{self, Read};
use std::pin::Pin;
use std::process::ExitCode;
use std::task::{Context, Poll};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::sync::mpsc::error::SendError;
use tokio::sync::mpsc::{self, OwnedPermit};

/// Bytes sent that have not come back; a server that only takes gets no more.
const MOST_OUTSTANDING: u64 = 4 * 1024 * 1024;
/// Lines a person may type while the server does not read.
const TYPED_AHEAD: usize = 64;

/// A person at a prompt: each line is sent with its newline, and what comes is shown at once.
pub(crate) async fn at_prompt(stream: TcpStream, config: ClientConfig, server: &str) -> ExitCode {
    let mut terminal = match Terminal::open() {
        Ok(terminal) => terminal,
        Err(error) => return fail(Exit::System, &format!("cannot use the terminal: {error}")),
    };
    terminal.write(&format!("connected to {server}, plain; an empty line or Ctrl-D ends the conversation"));
    let came_back = RefCell::new(CameBack::default());
    let (outgoing, inbox) = mpsc::channel(TYPED_AHEAD);
    let (show, mut shown) = mpsc::unbounded_channel();
    let on_text = |text: &[u8]| {
        came_back.borrow_mut().came(text);
        // The receiver lives as long as this conversation.
        let _ = show.send(printable(text.strip_suffix(b"\n").unwrap_or(text)));
    };
    let mut conversation = Box::pin(converse_plainly(stream, config, inbox, on_text, |_| Poll::Ready(())));
    let (mut outgoing, mut person) = (Some(outgoing), true);
    let outcome = loop {
        tokio::select! { biased;
            Some(text) = shown.recv() => terminal.write(&text),
            outcome = &mut conversation => break Some(outcome),
            wish = terminal.wish(), if person => match (wish, &outgoing) {
                (Ok(Wish::Line(line)), Some(open)) => {
                    let line = line + "\n";
                    match open.try_send(line.clone().into_bytes()) {
                        Ok(()) => came_back.borrow_mut().sent(line.as_bytes()),
                        Err(_) => terminal.write("not sent: the server does not read"),
                    }
                }
                (Ok(Wish::Interrupt), None) => break None,
                (wish, _) => {
                    person = wish.is_ok();
                    terminal.ending();
                    outgoing = None;
                }
            },
        }
    };
    // Where nobody waits for its end any more, the connection is let go.
    drop(conversation);
    while let Ok(text) = shown.try_recv() {
        terminal.write(&text);
    }
    terminal.close();
    match outcome {
        Some(outcome) => conclude(&outcome, &came_back.borrow()),
        None => fail(Exit::NotClean, "let go without waiting for the server"),
    }
}

/// Standard input as it is, and what comes as it is.
pub(crate) async fn from_pipe(stream: TcpStream, config: ClientConfig) -> ExitCode {
    let came_back = RefCell::new(CameBack::default());
    let (outgoing, inbox) = mpsc::channel(1);
    let output = Output::start();
    let incoming = RefCell::new(Incoming::new(output.sender()));
    let progress = Notify::new();
    let on_text = |text: &[u8]| {
        came_back.borrow_mut().came(text);
        incoming.borrow_mut().texts.push_back(text.to_vec());
        progress.notify_one();
    };
    let room = |cx: &mut Context<'_>| incoming.borrow_mut().poll_written(cx);
    let outcome = tokio::select! { biased;
        outcome = converse_plainly(stream, config, inbox, on_text, room) => outcome,
        never = keep_writing(&incoming) => match never {},
        never = pump(outgoing, output.sender(), &came_back, &progress) => match never {},
    };
    poll_fn(|cx| incoming.borrow_mut().poll_written(cx)).await;
    drop(incoming);
    if let Err(error) = output.finish().await {
        return fail(Exit::NotClean, &format!("cannot write what came: {error}"));
    }
    conclude(&outcome, &came_back.borrow())
}

/// Hands on what came in this very turn of the conversation, which asks for room only at its next.
async fn keep_writing(incoming: &RefCell<Incoming>) -> Infallible {
    poll_fn(|cx| {
        // Whether ready or not: what comes next wakes the task, and so does room for what waits.
        let _ = incoming.borrow_mut().poll_written(cx);
        Poll::Pending
    })
    .await
}

/// Sends what standard input gives, while it comes back and can be written; then waits for the end.
async fn pump(
    outgoing: mpsc::Sender<Vec<u8>>,
    output: mpsc::Sender<Vec<u8>>,
    came_back: &RefCell<CameBack>,
    progress: &Notify,
) -> Infallible {
    let mut chunks = read_chunks();
    loop {
        while came_back.borrow().outstanding() > MOST_OUTSTANDING {
            progress.notified().await;
        }
        let chunk = tokio::select! { biased;
            () = output.closed() => break,
            chunk = chunks.recv() => chunk,
        };
        let Some(chunk) = chunk else { break };
        came_back.borrow_mut().sent(&chunk);
        if outgoing.send(chunk).await.is_err() {
            break;
        }
    }
    drop(outgoing);
    std::future::pending().await
}

/// What came and waits to be written; while something does, nothing more is read.
struct Incoming {
    sender: mpsc::Sender<Vec<u8>>,
    texts: VecDeque<Vec<u8>>,
    permit: Option<Pin<Box<Reserving>>>,
}

/// Waits for room in the output.
type Reserving = dyn Future<Output = Result<OwnedPermit<Vec<u8>>, SendError<()>>>;

impl Incoming {
    fn new(sender: mpsc::Sender<Vec<u8>>) -> Self {
        Self { sender, texts: VecDeque::new(), permit: None }
    }

    /// Ready when everything is on its way to the output.
    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let Some(text) = self.texts.pop_front() {
            let permit = self.permit.get_or_insert_with(|| Box::pin(self.sender.clone().reserve_owned()));
            match permit.as_mut().poll(cx) {
                Poll::Ready(permit) => {
                    self.permit = None;
                    // Output that cannot be written is told about at the end.
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

/// Reads standard input in a thread, for a read of it cannot be given up.
fn read_chunks() -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        let mut chunk = vec![0; 16 * 1024];
        loop {
            match io::stdin().lock().read(&mut chunk) {
                Ok(0) => return,
                Ok(count) if sender.blocking_send(chunk[..count].to_vec()).is_ok() => (),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Ok(_) => return,
                Err(error) => {
                    say(&format!("cannot read the input: {error}"));
                    return;
                }
            }
        }
    });
    receiver
}

/// The wire proves nothing, but the bytes can be counted.
fn conclude(outcome: &Outcome, came_back: &CameBack) -> ExitCode {
    let all = came_back.all();
    let bytes = if all { "every byte sent came back" } else { "not every byte sent came back" };
    say(&format!("the conversation ended {}; {bytes}", outcome.end));
    match (&outcome.end, all) {
        (End::Unproven, true) => Exit::Clean.into(),
        (End::Unproven, false)
        | (
            End::Clean(_) | End::Failed { .. } | End::Truncated | End::Reset | End::TimedOut(_) | End::Violation(_),
            _,
        ) => Exit::NotClean.into(),
    }
}
