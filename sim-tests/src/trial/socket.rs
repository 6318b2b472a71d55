//! A socket, and its holder.

use crate::network::StreamSocket;
use crate::support::Millis;
use std::task::Waker;

#[derive(Debug)]
pub(super) struct Socket {
    pub(super) kernel: StreamSocket<u8>,
    pub(super) holder: Holder,
    /// Whether RST was sent or received.
    pub(super) reset: bool,
    /// Bytes that were written and that the peer has not read.
    pub(super) outstanding: usize,
    /// Whether the next call fails: flush, shutdown.
    pub(super) fails: [bool; 2],
    /// Whether nothing was written since the last flush.
    pub(super) is_flushed: bool,
    /// By [`Call`]: whether the last one was pending for no reason.
    pub(super) hesitated: [bool; 4],
    /// The state that the log shows.
    pub(super) shown: &'static str,
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
    /// The kernel of the side: nobody has accepted it.
    Backlog,
    /// It was dropped, or a fault has taken it away.
    Nobody,
}

impl Socket {
    pub(super) fn new() -> Self {
        let kernel = StreamSocket::new();
        Self {
            shown: kernel.tcp_state(),
            kernel,
            holder: Holder::Program,
            reset: false,
            outstanding: 0,
            fails: [false; 2],
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
