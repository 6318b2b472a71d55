//! A socket, and its holder.

use crate::network::StreamSocket;
use crate::support::Millis;
use std::task::Waker;

#[derive(Debug)]
pub(super) struct Socket {
    pub(super) kernel: StreamSocket<u8>,
    pub(super) holder: Holder,
    /// Whether the future of its side has returned or panicked.
    pub(super) returned: bool,
    /// Whether RST was sent or received.
    pub(super) reset: bool,
    /// Bytes that were written and that the peer has not read.
    pub(super) outstanding: usize,
    pub(super) events: usize,
    /// Whether nothing was written since the last flush.
    pub(super) is_flushed: bool,
    /// By [`Call`]: whether the last one was pending for no reason.
    pub(super) hesitated: [bool; 4],
    pub(super) reader: Option<Waker>,
    pub(super) writer: Option<Waker>,
}

/// The calls that can be pending.
#[derive(Clone, Copy, Debug)]
pub(super) enum Call {
    Read,
    Write,
    Flush,
    ShutDown,
}

/// The holder of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    Program,
    /// The program, but it reads no more. The stream is closed at this time at the latest.
    NotReading(Millis),
    /// A fault has ended the program.
    EndedByFault,
    /// The program was stopped, because it had too many I/O events.
    OverEventLimit,
    /// The program has dropped it.
    Dropped,
}

impl Socket {
    pub(super) fn new() -> Self {
        Self {
            kernel: StreamSocket::new(),
            holder: Holder::Program,
            returned: false,
            reset: false,
            outstanding: 0,
            events: 0,
            is_flushed: true,
            hesitated: [false; 4],
            reader: None,
            writer: None,
        }
    }

    pub(super) fn wake(&mut self, wakers: &mut Vec<Waker>) {
        wakers.extend(self.reader.take());
        wakers.extend(self.writer.take());
    }
}
