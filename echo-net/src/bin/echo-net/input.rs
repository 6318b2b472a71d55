//! Standard input, read by its own thread because a blocking read cannot be cancelled; counts what was not sent.

use crate::exit::counted;
use crate::standard::{StandardInput, Stop, was_stopped};
use std::io::{self, BufRead, BufReader, Read};
use std::thread::{JoinHandle, spawn};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

/// Lines that are read ahead.
const LINES_AHEAD: usize = 64;
/// Bytes of one read.
const CHUNK: usize = 16 * 1024;
/// Maximum bytes that are read after the end to count what was not sent.
const MOST_COUNTED: usize = 64 * 1024 * 1024;

/// Standard input, piece by piece.
#[derive(Debug)]
pub(crate) struct Input {
    pieces: mpsc::Receiver<Vec<u8>>,
    stop: Stop,
    thread: JoinHandle<Rest>,
    unit: Unit,
}

/// The unit of the input.
#[derive(Clone, Copy, Debug)]
enum Unit {
    /// Lines of at most this many bytes.
    Lines(usize),
    Bytes,
}

/// The input that was not taken.
#[derive(Debug)]
struct Rest {
    /// Whether the end of the input was read. If not, and nothing failed, more may follow.
    ended: bool,
    /// The error that stopped reading.
    failed: Option<String>,
    /// Lines or bytes that were read and not taken.
    left: usize,
}

impl Input {
    /// Reads lines without their newlines. A line of more than `limit` bytes is an error that ends the input.
    pub(crate) fn lines(limit: usize) -> io::Result<Self> {
        Self::read(Unit::Lines(limit), LINES_AHEAD)
    }

    /// Reads bytes in pieces.
    pub(crate) fn bytes() -> io::Result<Self> {
        Self::read(Unit::Bytes, 1)
    }

    fn read(unit: Unit, ahead: usize) -> io::Result<Self> {
        let (input, stop) = StandardInput::open()?;
        let (sender, pieces) = mpsc::channel(ahead);
        let source = BufReader::with_capacity(CHUNK, input);
        Ok(Self { pieces, stop, unit, thread: spawn(move || unit.read_all(source, sender)) })
    }

    /// Returns the next piece. `None` at the end of the input or after an error, which [`finish`](Self::finish)
    /// reports.
    pub(crate) async fn next(&mut self) -> Option<Vec<u8>> {
        self.pieces.recv().await
    }

    /// Stops reading. Returns a message about unsent input or an error, or `None` if all input was taken up to its end.
    /// `in_hand` counts what was taken and not sent.
    pub(crate) async fn finish(mut self, in_hand: usize) -> Option<String> {
        self.pieces.close();
        let mut left = in_hand;
        while let Some(piece) = self.pieces.recv().await {
            left += self.unit.size(&piece);
        }
        drop(self.stop);
        let thread = self.thread;
        match spawn_blocking(|| thread.join()).await {
            Ok(Ok(rest)) => Rest { left: rest.left + left, ..rest }.problem(self.unit),
            Ok(Err(_)) | Err(_) => Some("the input thread failed".to_owned()),
        }
    }
}

impl Rest {
    fn problem(&self, unit: Unit) -> Option<String> {
        let at_least = if self.ended { "" } else { "at least " };
        let left = match unit {
            Unit::Lines(_) => counted(self.left, "line"),
            Unit::Bytes => format!("{} bytes", self.left),
        };
        let left = format!("{at_least}{left} of the input not sent");
        match (&self.failed, self.ended, self.left) {
            (Some(failed), _, 0) => Some(failed.clone()),
            (Some(failed), ..) => Some(format!("{failed}; {left}")),
            (None, true, 0) => None,
            (None, false, 0) => Some("the input had not ended".to_owned()),
            (None, true, _) => Some(left),
            (None, false, _) => Some(format!("the input had not ended; {left}")),
        }
    }
}

impl Unit {
    /// Reads until the end, an error, or until the receiver is closed.
    fn read_all(self, mut source: BufReader<StandardInput>, pieces: mpsc::Sender<Vec<u8>>) -> Rest {
        let mut rest = Rest { ended: false, failed: None, left: 0 };
        for number in 1u64.. {
            let mut piece = Vec::new();
            match self.read_one(&mut source, &mut piece) {
                Ok(()) if piece.is_empty() => {
                    rest.ended = true;
                    return rest;
                }
                Ok(()) => (),
                Err(error) if was_stopped(&error) => {
                    rest.left = self.size(&piece).min(piece.len());
                    return rest;
                }
                Err(error) => {
                    rest.left = self.size(&piece).min(piece.len());
                    rest.failed = Some(format!("cannot read the input: {error}"));
                    return rest;
                }
            }
            if let Self::Lines(limit) = self {
                if piece.last() == Some(&b'\n') {
                    piece.pop();
                }
                if piece.len() > limit {
                    let problem =
                        format!("line {number} of the input is longer than {limit} bytes (see --max-message)");
                    // Ends the receiver now.
                    drop(pieces);
                    self.count(&mut source, &mut rest, true);
                    return Rest { failed: Some(problem), ..rest };
                }
            }
            if let Err(refused) = pieces.blocking_send(piece) {
                rest.left = self.size(&refused.0);
                self.count(&mut source, &mut rest, false);
                return rest;
            }
        }
        rest
    }

    /// Reads a line with its newline, or one byte more than the limit; or the bytes that are there.
    fn read_one(self, source: &mut BufReader<StandardInput>, piece: &mut Vec<u8>) -> io::Result<()> {
        match self {
            Self::Lines(limit) => {
                let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
                source.take(most).read_until(b'\n', piece).map(drop)
            }
            Self::Bytes => {
                piece.extend_from_slice(source.fill_buf()?);
                source.consume(piece.len());
                Ok(())
            }
        }
    }

    /// Returns the size of a piece: one line, or its bytes.
    fn size(self, piece: &[u8]) -> usize {
        match self {
            Self::Lines(_) => 1,
            Self::Bytes => piece.len(),
        }
    }

    /// Counts the remaining input, until reading is stopped. It may begin within a line.
    fn count(self, source: &mut BufReader<StandardInput>, rest: &mut Rest, mut in_line: bool) {
        let mut counted = 0;
        while counted < MOST_COUNTED {
            let there = match source.fill_buf() {
                Ok([]) => {
                    rest.ended = true;
                    break;
                }
                Ok(there) => there,
                Err(_) => break,
            };
            rest.left += match self {
                Self::Lines(_) => there.iter().filter(|byte| **byte == b'\n').count(),
                Self::Bytes => there.len(),
            };
            in_line = there.last() != Some(&b'\n');
            counted += there.len();
            let count = there.len();
            source.consume(count);
        }
        if in_line && matches!(self, Self::Lines(_)) {
            rest.left += 1;
        }
    }
}
