//! The instrumented stream: a stream that writes on the event log what passes through it, and can be taken from its program.
//!
//! It wraps any transport. A program whose instrumented stream was taken away is as good as dead: its reads and writes stay pending.

mod control;
mod transport;

use super::pace::Pace;
use crate::backend::read_pause::ReadPause;
use crate::backend::write_limit::{WriteLimit, violation};
use crate::record::event_log::{EventLog, LogEvent, Unit, is_fin};
use crate::record::wire_decoder::{StreamChunk, WireDecoder};
use crate::scenario::Scenario;
use crate::scenario::plan::Point;
use echo_core::Role;
use echo_net::Transport;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use tokio::io::ReadBuf;

pub(in crate::backend) type SharedLog = Arc<Mutex<EventLog>>;

/// The event log, whatever became of others who held it.
pub(in crate::backend) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The end of an instrumented stream that the program holds.
#[derive(Debug)]
pub(in crate::backend) struct InstrumentedStream<S: Transport>(Arc<Mutex<Inner<S>>>);

/// The end of an instrumented stream that the harness holds.
#[derive(Debug)]
pub(in crate::backend) struct StreamControl<S>(Arc<Mutex<Inner<S>>>);

impl<S> Clone for StreamControl<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

#[derive(Debug)]
struct Inner<S> {
    /// `None` once the program or the harness let go.
    stream: Option<S>,
    role: Role,
    log: SharedLog,
    hears: WireDecoder,
    says: WireDecoder,
    /// A read gives, a write takes at most so many bytes.
    reads: usize,
    writes: usize,
    coalesces: bool,
    /// The program reads slowly, and its transport is asked how much the peer has taken.
    pace: Option<Pace>,
    /// How many bytes the program has written, and how many of them were taken, if the network tells.
    written: usize,
    taken: Option<usize>,
    /// A part of what the peer has written has arrived.
    arriving: bool,
    state: State,
    write_limit: WriteLimit,
    read_pause: ReadPause,
    /// What was read, and has not been handed over; empty for a FIN.
    stash: Option<Vec<u8>>,
    /// FIN was sent.
    shut: bool,
    /// The peer's RST has arrived, or one that a relay made.
    reset: bool,
    /// A write of the program was told so.
    told: bool,
    /// A write of the harness was told so.
    owed: bool,
    /// The connection is broken, and who waits to write has to know.
    broken: bool,
    /// A FIN that a relay made has arrived.
    fin: bool,
    fin_read: bool,
    /// Somebody waits to read, or to write.
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The program has it.
    Held,
    /// The program reads no more, and lets go when there is something to read.
    Unread,
    /// The program never reads any more.
    Deaf,
    /// The program let go by RST.
    Aborted,
    /// The program, or its plan, let go.
    Gone,
}

impl<S: Transport> InstrumentedStream<S> {
    pub(in crate::backend) fn new(
        stream: S,
        role: Role,
        scenario: &Scenario,
        log: SharedLog,
    ) -> (Self, StreamControl<S>) {
        let most = |limit: usize| if limit == 0 { usize::MAX } else { limit };
        let inner = Arc::new(Mutex::new(Inner {
            stream: Some(stream),
            role,
            log,
            hears: WireDecoder::new(role.peer(), scenario),
            says: WireDecoder::new(role, scenario),
            reads: most(scenario.network.reads),
            writes: most(scenario.network.writes),
            coalesces: scenario.network.batch > 0,
            pace: None,
            written: 0,
            taken: None,
            arriving: false,
            state: State::Held,
            write_limit: WriteLimit::new(scenario, role),
            read_pause: ReadPause::new(scenario.plan(role)),
            stash: None,
            shut: false,
            reset: false,
            told: false,
            owed: false,
            broken: false,
            fin: false,
            fin_read: false,
            reader: None,
            writer: None,
        }));
        (Self(Arc::clone(&inner)), StreamControl(inner))
    }
}

impl<S: Transport> Inner<S> {
    fn note(&self, what: LogEvent) {
        lock(&self.log).note(self.role, what);
    }

    fn let_go(&mut self, state: State) {
        let state = if self.arriving { State::Aborted } else { state };
        if self.stream.is_some() {
            self.state = state;
            match self.stream.take() {
                Some(stream) if state == State::Aborted => stream.abort(),
                stream => drop(stream),
            }
        }
    }

    fn release(&mut self, point: Point) {
        self.write_limit.release(point);
        self.read_pause.release(point);
        self.wake();
    }

    fn wake(&mut self) {
        self.reader.take().into_iter().chain(self.writer.take()).for_each(Waker::wake);
    }

    fn violate(&mut self) {
        let bytes = violation();
        if self.shut || self.reset {
            return;
        }
        let Some(stream) = &mut self.stream else { return };
        // The streams take everything at once.
        match Pin::new(stream).poll_write(&mut Context::from_waker(Waker::noop()), &bytes) {
            Poll::Ready(Ok(count)) => {
                for unit in self.says.decode(StreamChunk::Data(&bytes[..count])) {
                    self.note(LogEvent::Sent(unit));
                }
            }
            // What a read was told before stays owed.
            Poll::Ready(Err(error)) => self.owed |= error.kind() == io::ErrorKind::ConnectionReset,
            Poll::Pending => (),
        }
    }

    fn shut_down(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(stream) = &mut self.stream else { return Poll::Pending };
        if self.reset || self.broken {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        }
        if self.shut {
            return Poll::Ready(Ok(()));
        }
        let result = Pin::new(stream).poll_shutdown(cx);
        if let Poll::Ready(Ok(())) = result {
            self.shut = true;
            // A network that sees packets may have noted it already.
            let mut log = lock(&self.log);
            if !log.has_sent(self.role, is_fin) {
                log.note(self.role, LogEvent::Sent(Unit::Fin));
            }
        }
        result
    }

    fn read(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.reader = Some(cx.waker().clone());
        let reads = match self.state {
            State::Unread | State::Deaf => false,
            State::Held | State::Aborted | State::Gone => !self.read_pause.is_shut(),
        };
        if !reads {
            return Poll::Pending;
        }
        if self.stash.is_some() {
            return self.hand_over(buffer);
        }
        if self.stream.is_none() {
            return Poll::Pending;
        }
        let room = match self.pace.as_mut().map(|pace| pace.poll(cx)) {
            Some(Poll::Pending) => return Poll::Pending,
            Some(Poll::Ready(takes)) => takes.min(buffer.remaining()),
            None => buffer.remaining(),
        };
        let (result, bytes) = self.receive(cx, room);
        if let Some(pace) = &mut self.pace {
            pace.took(bytes.len());
        }
        match result {
            Poll::Pending if self.fin && !std::mem::replace(&mut self.fin_read, true) => (),
            Poll::Pending if self.reset => {
                self.note(LogEvent::Got(Unit::Reset));
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            Poll::Pending if self.fin => (),
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Err(error)) => {
                self.note(LogEvent::Got(Unit::Reset));
                return Poll::Ready(Err(error));
            }
            // What a write of the harness was told is the program's to know.
            Poll::Ready(Ok(())) if bytes.is_empty() && std::mem::take(&mut self.owed) => {
                self.note(LogEvent::Got(Unit::Reset));
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            Poll::Ready(Ok(())) => (),
        }
        let segment = match bytes.is_empty() {
            true if self.told => StreamChunk::Reset,
            true => StreamChunk::Fin,
            false => StreamChunk::Data(&bytes),
        };
        let units = self.hears.decode(segment);
        let waits = self.read_pause.catches(&units);
        for unit in units {
            self.note(LogEvent::Got(unit));
        }
        self.stash = Some(bytes);
        if waits { Poll::Pending } else { self.hand_over(buffer) }
    }

    /// One read: what a packet has brought, or all that is there if the network coalesces.
    fn receive(&mut self, cx: &mut Context<'_>, room: usize) -> (Poll<io::Result<()>>, Vec<u8>) {
        let mut bytes = vec![0; room.min(self.reads)];
        let mut buffer = ReadBuf::new(&mut bytes);
        let mut result = Poll::Pending;
        while let Some(stream) = &mut self.stream {
            let before = buffer.filled().len();
            let one = Pin::new(stream).poll_read(cx, &mut buffer);
            let some = buffer.filled().len() > before;
            if some || before == 0 {
                result = one;
            } else if matches!(&one, Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::ConnectionReset) {
                // It is told once, and has to wait until what came before it is read.
                self.owed = true;
            }
            if !some || !self.coalesces || buffer.remaining() == 0 {
                break;
            }
        }
        let count = buffer.filled().len();
        bytes.truncate(count);
        (result, bytes)
    }

    /// Hands what was read over to the program.
    fn hand_over(&mut self, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut bytes = self.stash.take().unwrap_or_default();
        let rest = bytes.split_off(bytes.len().min(buffer.remaining()));
        buffer.put_slice(&bytes);
        self.stash = Some(rest).filter(|rest| !rest.is_empty());
        Poll::Ready(Ok(()))
    }

    fn write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.writer = Some(cx.waker().clone());
        // Who does not act upon what it has read does nothing else, either.
        if self.read_pause.is_shut() {
            return Poll::Pending;
        }
        let Some(stream) = &mut self.stream else { return Poll::Pending };
        if self.shut || self.reset {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let count = match self.write_limit.take(bytes.len().min(self.writes)) {
            Ok(count) => count,
            // The transport is not full any more: it fails.
            Err(_) if self.broken => bytes.len(),
            Err(point) => {
                lock(&self.log).note_stalled(self.role, point);
                return Poll::Pending;
            }
        };
        let result = Pin::new(stream).poll_write(cx, &bytes[..count]);
        match &result {
            Poll::Ready(Ok(count)) => {
                self.write_limit.took(*count);
                self.written += *count;
                for unit in self.says.decode(StreamChunk::Data(&bytes[..*count])) {
                    self.note(LogEvent::Sent(unit));
                }
            }
            // Linux tells of a RST once, be it a write that asks; what is left can be read then, and an end that is
            // none.
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::ConnectionReset => self.told = true,
            Poll::Ready(Err(_)) | Poll::Pending => (),
        }
        result
    }
}
