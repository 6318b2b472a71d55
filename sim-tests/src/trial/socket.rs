//! A socket, and who holds it.

use crate::network::StreamSocket;
use crate::support::Millis;
use std::task::Waker;

#[derive(Debug)]
pub(super) struct Socket {
    pub(super) kernel: StreamSocket<u8>,
    pub(super) holder: Holder,
    /// Its side's future has returned, or panicked.
    pub(super) returned: bool,
    /// RST was sent, or has arrived.
    pub(super) reset: bool,
    /// What was written and the other side has not read.
    pub(super) outstanding: usize,
    pub(super) events: usize,
    pub(super) reader: Option<Waker>,
    pub(super) writer: Option<Waker>,
}

/// Who has the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    Program,
    /// The program, and it reads no more; it is dropped at this time at the latest.
    Idler(Millis),
    /// A fault took the program away.
    Taken,
    /// The program was stopped: it has had too many I/O events.
    Runaway,
    /// The program has dropped it.
    Nobody,
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
            reader: None,
            writer: None,
        }
    }

    pub(super) fn wake(&mut self, wakers: &mut Vec<Waker>) {
        wakers.extend(self.reader.take());
        wakers.extend(self.writer.take());
    }
}
