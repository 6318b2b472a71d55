//! The server's log and its lines on standard output. Threads write them, so a reader that stalls blocks nothing.

use crate::standard::StandardStream;
use std::collections::VecDeque;
use std::fmt::{self, Debug};
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tracing::Level;
use tracing::field::Field;
use tracing_subscriber::fmt::format::{Writer, debug_fn};

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// A line of text for each event
    Text,
    /// A JSON object in a line for each event
    Json,
}

/// Maximum number of lines that wait. Further ones are dropped and counted.
const MOST: usize = 64 * 1024;

/// Lines that a thread writes. Clones share the queue.
#[derive(Clone)]
pub(crate) struct Lines(Arc<Shared>);

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    /// Lines to write. The first one is being written.
    waiting: VecDeque<Vec<u8>>,
    dropped: usize,
    /// The error after which nothing is written any more.
    failed: Option<io::ErrorKind>,
}

impl Lines {
    pub(crate) fn to_stdout() -> Self {
        Self::to(StandardStream::stdout())
    }

    pub(crate) fn to_stderr() -> Self {
        Self::to(StandardStream::stderr())
    }

    fn to(stream: StandardStream) -> Self {
        let shared = Arc::new(Shared::default());
        let lines = Self(shared.clone());
        std::thread::spawn(move || shared.write_all(stream));
        lines
    }

    /// Queues a line and a newline.
    pub(crate) fn say(&self, line: &str) {
        self.0.push(format!("{line}\n").into_bytes());
    }

    /// Waits until all lines are written, or until `until`. Returns how many lines were not written.
    pub(crate) fn finish(&self, until: Instant) -> usize {
        let queue = self.0.lock();
        let waits = |queue: &mut Queue| !queue.waiting.is_empty() && queue.failed.is_none();
        let waited = self.0.changed.wait_timeout_while(queue, until.saturating_duration_since(Instant::now()), waits);
        let (queue, _) = waited.unwrap_or_else(PoisonError::into_inner);
        queue.waiting.len() + queue.dropped
    }

    /// Returns whether the reader closed the stream: it wants no more.
    pub(crate) fn has_no_reader(&self) -> bool {
        self.0.lock().failed == Some(io::ErrorKind::BrokenPipe)
    }

    /// Writes the log of this process from now on.
    pub(crate) fn take_log(&self, level: Level, format: Format) {
        let lines = self.clone();
        let log = tracing_subscriber::fmt()
            .log_internal_errors(false)
            .with_ansi(false)
            .with_writer(move || Event(lines.clone()))
            .with_max_level(level)
            .with_target(false);
        match format {
            Format::Text => log.fmt_fields(debug_fn(text)).init(),
            Format::Json => log.json().flatten_event(true).init(),
        }
    }
}

/// Writes one field of an event as text. The connection is left out, because the message names it.
fn text(out: &mut Writer<'_>, field: &Field, value: &dyn Debug) -> fmt::Result {
    match field.name() {
        "message" => write!(out, "{value:?}"),
        "connection" => Ok(()),
        name => write!(out, " {name}={value:?}"),
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: Vec<u8>) {
        let mut queue = self.lock();
        if queue.failed.is_some() || queue.waiting.len() >= MOST {
            queue.dropped += 1;
        } else {
            queue.waiting.push_back(line);
            self.changed.notify_all();
        }
    }

    fn write_all(&self, mut stream: StandardStream) {
        loop {
            let queue = self.lock();
            let waited = self.changed.wait_while(queue, |queue| queue.waiting.is_empty());
            let line = waited.unwrap_or_else(PoisonError::into_inner).waiting[0].clone();
            let written = stream.write_all(&line);
            let mut queue = self.lock();
            if let Err(error) = written {
                queue.failed = Some(error.kind());
                self.changed.notify_all();
                return;
            }
            queue.waiting.pop_front();
            if queue.waiting.is_empty() {
                self.changed.notify_all();
            }
        }
    }
}

/// The writer of one event. The subscriber writes a whole line at once.
struct Event(Lines);

impl Write for Event {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.0.push(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
