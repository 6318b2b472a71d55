//! Standard output, written by its own thread, so that a reader that stalls does not block a conversation.

use crate::inherited::stdout_was_closed;
use crate::standard::StandardStream;
use crate::utf8::complete;
use echo_net::printable;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::thread::{JoinHandle, spawn};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

/// Maximum number of waiting writes.
const WAITING: usize = 64;

pub(crate) struct Output {
    sender: mpsc::Sender<Vec<u8>>,
    thread: JoinHandle<io::Result<()>>,
}

impl Output {
    /// Starts the thread.
    ///
    /// # Errors
    /// Standard output is closed.
    pub(crate) fn start() -> io::Result<Self> {
        if stdout_was_closed() {
            return Err(io::Error::other("standard output is closed"));
        }
        let (sender, receiver) = mpsc::channel(WAITING);
        Ok(Self { sender, thread: spawn(|| write_all(receiver)) })
    }

    /// Returns a sender for bytes. It closes when the bytes cannot be written any more.
    pub(crate) fn sender(&self) -> mpsc::Sender<Vec<u8>> {
        self.sender.clone()
    }

    /// Waits until everything is written.
    ///
    /// # Errors
    /// The error of the write that failed.
    pub(crate) async fn finish(self) -> io::Result<()> {
        drop(self.sender);
        match spawn_blocking(|| self.thread.join()).await {
            Ok(Ok(written)) => written,
            Ok(Err(_)) | Err(_) => Err(io::Error::other("the output thread failed")),
        }
    }
}

/// Writes all bytes. For a terminal they are made safe; a pipe gets them unchanged.
fn write_all(mut receiver: mpsc::Receiver<Vec<u8>>) -> io::Result<()> {
    let mut safe = io::stdout().is_terminal().then(Safe::default);
    let mut out = BufWriter::new(StandardStream::stdout());
    while let Some(bytes) = receiver.blocking_recv() {
        match &mut safe {
            Some(safe) => out.write_all(safe.lines(&bytes).as_bytes())?,
            None => out.write_all(&bytes)?,
        }
        if receiver.is_empty() {
            out.flush()?;
        }
    }
    if let Some(safe) = safe {
        out.write_all(printable(&safe.begun).as_bytes())?;
    }
    out.flush()
}

/// Makes lines safe that may arrive in pieces.
#[derive(Default)]
struct Safe {
    /// An incomplete character.
    begun: Vec<u8>,
}

impl Safe {
    fn lines(&mut self, bytes: &[u8]) -> String {
        self.begun.extend_from_slice(bytes);
        let rest = self.begun.split_off(complete(&self.begun));
        let whole = std::mem::replace(&mut self.begun, rest);
        let lines: Vec<_> = whole.split(|byte| *byte == b'\n').map(printable).collect();
        lines.join("\n")
    }
}
