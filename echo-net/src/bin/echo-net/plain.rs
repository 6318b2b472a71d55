//! The plain wire, at a prompt and from a pipe.

use crate::came_back::CameBack;
use crate::exit::{Exit, fail};
use crate::terminal::{Terminal, Wish};
use echo_net::echo_core::{End, Outcome};
use echo_net::{ClientConfig, converse_plainly, printable};
use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::process::ExitCode;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

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
    let mut conversation = std::pin::pin!(converse_plainly(stream, config, inbox, |text| {
        came_back.borrow_mut().came(text);
        // The receiver lives as long as this conversation.
        let _ = show.send(printable(text.strip_suffix(b"\n").unwrap_or(text)));
    }));
    let mut outgoing = Some(outgoing);
    let outcome = loop {
        tokio::select! { biased;
            Some(text) = shown.recv() => terminal.write(&text),
            outcome = &mut conversation => break outcome,
            wish = terminal.wish(), if outgoing.is_some() => match wish {
                Ok(Wish::Line(line)) => {
                    let line = line + "\n";
                    let sent = outgoing.as_ref().map(|outgoing| outgoing.try_send(line.clone().into_bytes()));
                    match sent {
                        Some(Ok(())) => came_back.borrow_mut().sent(line.as_bytes()),
                        Some(Err(_)) | None => terminal.write("not sent: the server does not read"),
                    }
                }
                Ok(Wish::End | Wish::Interrupt) | Err(_) => {
                    terminal.ending();
                    outgoing = None;
                }
            },
        }
    };
    while let Ok(text) = shown.try_recv() {
        terminal.write(&text);
    }
    terminal.close();
    conclude(&outcome, &came_back.borrow())
}

/// Standard input as it is, and what comes as it is.
pub(crate) async fn from_pipe(stream: TcpStream, config: ClientConfig) -> ExitCode {
    let came_back = RefCell::new(CameBack::default());
    let (outgoing, inbox) = mpsc::channel(1);
    let mut written = Ok(());
    let outcome = {
        let conversation = converse_plainly(stream, config, inbox, |text| {
            came_back.borrow_mut().came(text);
            if written.is_ok() {
                let mut out = io::stdout().lock();
                written = out.write_all(text).and_then(|()| out.flush());
            }
        });
        let mut chunks = read_chunks();
        let pump = async {
            while let Some(chunk) = chunks.recv().await {
                came_back.borrow_mut().sent(&chunk);
                if outgoing.send(chunk).await.is_err() {
                    break;
                }
            }
            drop(outgoing);
            std::future::pending::<()>().await;
        };
        tokio::select! { biased;
            outcome = conversation => outcome,
            () = pump => unreachable!("the pump waits for the end of the conversation"),
        }
    };
    if let Err(error) = written {
        return fail(Exit::NotClean, &format!("cannot write what came: {error}"));
    }
    conclude(&outcome, &came_back.borrow())
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
                    eprintln!("echo-net: cannot read the input: {error}");
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
    eprintln!("echo-net: the conversation ended {}; {bytes}", outcome.end);
    match (&outcome.end, all) {
        (End::Unproven, true) => Exit::Clean.into(),
        (End::Unproven, false)
        | (
            End::Clean(_) | End::Failed { .. } | End::Truncated | End::Reset | End::TimedOut(_) | End::Violation(_),
            _,
        ) => Exit::NotClean.into(),
    }
}
