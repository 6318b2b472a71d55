//! One socket: what the kernel has of it, and who holds it.

use crate::support::Millis;
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::task::Waker;

#[derive(Debug)]
pub(super) struct Socket {
    pub(super) state: State,
    pub(super) holder: Holder,
    /// Its side's future has returned, or panicked.
    pub(super) returned: bool,
    pub(super) inbox: VecDeque<u8>,
    pub(super) fin_came: bool,
    /// What the next call fails with.
    pub(super) error: Option<ErrorKind>,
    /// FIN was sent.
    pub(super) shut: bool,
    /// FIN was sent before the other's came.
    pub(super) fin_first: bool,
    pub(super) reset: bool,
    /// What was written and the other side has not read.
    pub(super) outstanding: usize,
    pub(super) events: usize,
    pub(super) reader: Option<Waker>,
    pub(super) writer: Option<Waker>,
}

/// What the kernel has of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Open,
    /// Closed with FIN: it still knows its peer, and answers data with RST.
    Orphan,
    /// Ended by RST: whatever comes is answered with RST. What had come before can still be read.
    Reset,
    /// No power.
    Dark,
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
            state: State::Open,
            holder: Holder::Program,
            returned: false,
            inbox: VecDeque::new(),
            fin_came: false,
            error: None,
            shut: false,
            fin_first: false,
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
