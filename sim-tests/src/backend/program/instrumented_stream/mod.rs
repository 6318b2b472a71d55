//! The instrumented stream: it logs what passes through it, and the harness can take it away from its program.
//!
//! It wraps any transport. After the harness has closed it, the program's reads and writes stay pending.

mod control;
mod transport;

use super::pace::Pace;
use crate::backend::read_pause::ReadPause;
use crate::backend::write_limit::{WriteLimit, violation};
use crate::record::event_log::{EventLog, LogEvent, Unit, is_fin};
use crate::record::wire_decoder::{StreamChunk, WireDecoder};
use crate::scenario::Scenario;
use crate::scenario::plan::Point;
use crate::scenario::reading::Reading;
use echo_core::Role;
use echo_net::Transport;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use tokio::io::ReadBuf;
#[cfg(feature = "turmoil")]
use tokio::time::Instant;

pub(in crate::backend) type SharedLog = Arc<Mutex<EventLog>>;

/// Locks the mutex, even if another holder has panicked.
pub(in crate::backend) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The program's end of an instrumented stream.
#[derive(Debug)]
pub(in crate::backend) struct InstrumentedStream<S: Transport>(Arc<Mutex<Inner<S>>>);

/// The harness's end of an instrumented stream.
#[derive(Debug)]
pub(in crate::backend) struct StreamControl<S>(Arc<Mutex<Inner<S>>>);

impl<S> Clone for StreamControl<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

#[derive(Debug)]
struct Inner<S> {
    /// `None` after the program or the harness has closed it.
    stream: Option<S>,
    role: Role,
    log: SharedLog,
    received: WireDecoder,
    sent: WireDecoder,
    /// Maximum size of one read, in bytes.
    reads: usize,
    /// Maximum size of one write, in bytes.
    writes: usize,
    /// Whether one read returns all that is there.
    coalesces: bool,
    /// The read rate of a slow program. If set, the transport is asked how much the peer has acknowledged.
    pace: Option<Pace>,
    /// Bytes that the program has written.
    written: usize,
    /// What the network reports for slow readers, if it does.
    buffered: Option<Buffered>,
    state: State,
    write_limit: WriteLimit,
    read_pause: ReadPause,
    /// Bytes that were read and not yet given to the program; empty for a FIN.
    stash: Option<Vec<u8>>,
    outgoing: Outgoing,
    peer_reset: PeerReset,
    relay_fin: RelayFin,
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// When the program acts next if nothing arrives.
    #[cfg(feature = "turmoil")]
    alarm: Option<Instant>,
    /// When its calls end.
    #[cfg(feature = "turmoil")]
    calls: Vec<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The program may use it.
    Open(Reading),
    /// Closed with RST.
    Aborted,
    Closed,
}

/// Bytes that wait because a program reads slowly.
#[derive(Clone, Copy, Debug)]
struct Buffered {
    /// Bytes of this program that the peer has read.
    taken: usize,
    /// Whether a packet of the peer has arrived in part; it counts as unread input.
    arriving: bool,
}

/// How the outgoing direction has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outgoing {
    Open,
    FinSent,
    /// FIN, then RST.
    #[cfg(feature = "turmoil")]
    ResetSent,
}

/// Where a RST of the peer was seen. Linux reports it to one call only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PeerReset {
    No,
    /// Arrived, and no call has failed with it. A program that waits to write has to wake up.
    #[cfg(feature = "packet")]
    Arrived,
    /// A write of the program has failed with it. The program can still read what arrived before, and then an end.
    WriteFailed,
    /// A call of the harness has failed with it. The program's next read without data returns the error instead.
    Owed,
    /// A read of the program has returned the error instead of a call of the harness.
    Reported,
    /// Not from the stream below. Every read without data fails with it.
    #[cfg(feature = "turmoil")]
    Simulated,
}

/// A FIN that a relay made. The stream below does not deliver it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RelayFin {
    No,
    #[cfg(feature = "turmoil")]
    Arrived,
    Read,
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
            received: WireDecoder::new(role.peer(), scenario),
            sent: WireDecoder::new(role, scenario),
            reads: most(scenario.network.reads),
            writes: most(scenario.network.writes),
            coalesces: scenario.network.batch > 0,
            pace: None,
            written: 0,
            buffered: None,
            state: State::Open(Reading::Always),
            write_limit: WriteLimit::new(scenario, role),
            read_pause: ReadPause::new(scenario.plan(role)),
            stash: None,
            outgoing: Outgoing::Open,
            peer_reset: PeerReset::No,
            relay_fin: RelayFin::No,
            reader: None,
            writer: None,
            #[cfg(feature = "turmoil")]
            alarm: None,
            #[cfg(feature = "turmoil")]
            calls: Vec::new(),
        }));
        (Self(Arc::clone(&inner)), StreamControl(inner))
    }
}

impl<S: Transport> Inner<S> {
    fn note(&self, what: LogEvent) {
        lock(&self.log).note(self.role, what);
    }

    fn close(&mut self, state: State) {
        let arriving = self.buffered.is_some_and(|buffered| buffered.arriving);
        let state = if arriving { State::Aborted } else { state };
        if let Some(stream) = self.stream.take() {
            self.state = state;
            match state {
                State::Aborted => stream.abort(),
                State::Open(_) | State::Closed => drop(stream),
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
        if !self.can_write() {
            return;
        }
        let Some(stream) = &mut self.stream else { return };
        // The streams below accept everything at once.
        match Pin::new(stream).poll_write(&mut Context::from_waker(Waker::noop()), &bytes) {
            Poll::Ready(Ok(count)) => {
                for unit in self.sent.decode(StreamChunk::Data(&bytes[..count])) {
                    self.note(LogEvent::Sent(unit));
                }
            }
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::ConnectionReset => {
                self.peer_reset = PeerReset::Owed;
            }
            Poll::Ready(Err(_)) | Poll::Pending => (),
        }
    }

    /// Whether a write may go to the stream below.
    fn can_write(&self) -> bool {
        let reset = match self.peer_reset {
            #[cfg(feature = "turmoil")]
            PeerReset::Simulated => true,
            #[cfg(feature = "packet")]
            PeerReset::Arrived => false,
            PeerReset::No | PeerReset::WriteFailed | PeerReset::Owed | PeerReset::Reported => false,
        };
        self.outgoing == Outgoing::Open && !reset
    }

    /// Whether a RST of the peer was seen.
    fn is_reset(&self) -> bool {
        self.peer_reset != PeerReset::No
    }

    fn shut_down(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let is_reset = self.is_reset();
        let Some(stream) = &mut self.stream else { return Poll::Pending };
        if is_reset {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        }
        if self.outgoing != Outgoing::Open {
            return Poll::Ready(Ok(()));
        }
        let result = Pin::new(stream).poll_shutdown(cx);
        if let Poll::Ready(Ok(())) = result {
            self.outgoing = Outgoing::FinSent;
            // On a network of packets, the fault injector may have logged it already.
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
            State::Open(Reading::UntilInput | Reading::Never) => false,
            State::Open(Reading::Always) | State::Aborted | State::Closed => !self.read_pause.is_shut(),
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
        let bytes = buffer.initialize_unfilled_to(room.min(self.reads));
        let (result, count) = self.receive(cx, bytes);
        if let Some(pace) = &mut self.pace {
            pace.took(count);
        }
        match self.outcome_of_read(result, count == 0) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Err(error)) => {
                self.note(LogEvent::Got(Unit::Reset));
                return Poll::Ready(Err(error));
            }
            Poll::Ready(Ok(())) => (),
        }
        let bytes = &bytes[..count];
        let segment = match bytes.is_empty() {
            true if self.peer_reset == PeerReset::WriteFailed => StreamChunk::Reset,
            true => StreamChunk::Fin,
            false => StreamChunk::Data(bytes),
        };
        let units = self.received.decode(segment);
        let waits = self.read_pause.catches(&units);
        for unit in units {
            self.note(LogEvent::Got(unit));
        }
        if waits {
            self.stash = Some(bytes.to_vec());
            return Poll::Pending;
        }
        buffer.advance(count);
        Poll::Ready(Ok(()))
    }

    /// The result of the program's read, by the result of the stream's read and the FIN and RST that the harness adds.
    fn outcome_of_read(&mut self, result: Poll<io::Result<()>>, is_empty: bool) -> Poll<io::Result<()>> {
        let reset = || Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        match result {
            #[cfg(feature = "turmoil")]
            Poll::Pending if self.relay_fin == RelayFin::Arrived => {
                self.relay_fin = RelayFin::Read;
                Poll::Ready(Ok(()))
            }
            #[cfg(feature = "turmoil")]
            Poll::Pending if self.peer_reset == PeerReset::Simulated => reset(),
            Poll::Pending if self.relay_fin == RelayFin::Read => Poll::Ready(Ok(())),
            Poll::Ready(Ok(())) if is_empty && self.peer_reset == PeerReset::Owed => {
                self.peer_reset = PeerReset::Reported;
                reset()
            }
            Poll::Pending | Poll::Ready(_) => result,
        }
    }

    /// Reads once: what one packet has brought, or all that is there if the network coalesces. Returns the number of
    /// bytes, too.
    fn receive(&mut self, cx: &mut Context<'_>, bytes: &mut [u8]) -> (Poll<io::Result<()>>, usize) {
        let mut buffer = ReadBuf::new(bytes);
        let mut result = Poll::Pending;
        while let Some(stream) = &mut self.stream {
            let before = buffer.filled().len();
            let one = Pin::new(stream).poll_read(cx, &mut buffer);
            let some = buffer.filled().len() > before;
            if some || before == 0 {
                result = one;
            } else if matches!(&one, Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::ConnectionReset) {
                // Linux reports it once. It is reported after the bytes that arrived before it.
                self.peer_reset = PeerReset::Owed;
            }
            if !some || !self.coalesces || buffer.remaining() == 0 {
                break;
            }
        }
        (result, buffer.filled().len())
    }

    /// Copies the stashed bytes to the program's buffer.
    fn hand_over(&mut self, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut bytes = self.stash.take().unwrap_or_default();
        let rest = bytes.split_off(bytes.len().min(buffer.remaining()));
        buffer.put_slice(&bytes);
        self.stash = Some(rest).filter(|rest| !rest.is_empty());
        Poll::Ready(Ok(()))
    }

    fn write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.writer = Some(cx.waker().clone());
        // A paused program does not write either.
        if self.read_pause.is_shut() {
            return Poll::Pending;
        }
        let (can_write, is_reset) = (self.can_write(), self.is_reset());
        let Some(stream) = &mut self.stream else { return Poll::Pending };
        if !can_write {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let count = match self.write_limit.take(bytes.len().min(self.writes)) {
            Ok(count) => count,
            // After a RST the transport does not block any more, it fails.
            Err(_) if is_reset => bytes.len(),
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
                for unit in self.sent.decode(StreamChunk::Data(&bytes[..*count])) {
                    self.note(LogEvent::Sent(unit));
                }
            }
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::ConnectionReset => {
                self.peer_reset = PeerReset::WriteFailed;
            }
            Poll::Ready(Err(_)) | Poll::Pending => (),
        }
        result
    }
}
