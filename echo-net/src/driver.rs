//! The loop between a connection and its transport. It makes no protocol decisions.

use crate::clock::{Clock, Timeline};
use crate::memory::Usage;
use crate::transport::Transport;
use crate::turns::Share;
use echo_core::{CloseCode, CloseReason, Config, Connection, Event, Outcome, Output, Stamp};
use std::cell::RefCell;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::ReadBuf;
use tokio::time::{Instant, Sleep, sleep_until};

/// Maximum bytes of one read.
const READ: usize = 64 * 1024;

/// If an alarm is this late, the process did not run.
const ASLEEP: Duration = Duration::from_secs(1);
const OUT_OF_MEMORY: &str = "try again later: the server's memory is used up";

thread_local! {
    /// Read buffer of the thread, so that an idle connection owns no buffer.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A connection with its transport.
pub(crate) struct Driver<T> {
    /// `None` after close or abort.
    stream: Option<T>,
    connection: Connection,
    timeline: Timeline,
    /// The wall clock, if the times on the plain wire follow it.
    wall: Option<fn() -> Stamp>,
    /// Input that was read and waits for a turn, or until the peer has read.
    rest: Rest,
    share: Share,
    usage: Usage,
    /// FIN or a reset was read: there is nothing more to read.
    read_over: bool,
    /// The user reads no input for now.
    paused: bool,
    /// The transport takes no bytes, and the last read returned nothing.
    read_in_vain: bool,
    /// A write failed with a reset. Linux reports the reset once; later reads return the end of the stream.
    reset: bool,
    /// Bytes were written since the last flush.
    unflushed: bool,
    /// The last write was pending.
    blocked: bool,
    /// The ending has begun.
    ending: bool,
    /// When it was last polled.
    polled: Duration,
    alarm: Pin<Box<Sleep>>,
}

impl<T: Transport> Driver<T> {
    /// Begins a connection now. `make` receives the settings with the clock's time zone, and the wall time.
    pub(crate) fn new(stream: T, clock: Clock, config: Config, make: impl FnOnce(Config, Stamp) -> Connection) -> Self {
        let mut config = config;
        config.utc_offset = clock.utc_offset;
        let timeline = Timeline::begin();
        Self {
            stream: Some(stream),
            connection: make(config, (clock.wall)()),
            timeline,
            wall: (!clock.steady).then_some(clock.wall),
            rest: Rest::default(),
            share: Share::default(),
            usage: Usage::default(),
            read_over: false,
            paused: false,
            read_in_vain: false,
            reset: false,
            unflushed: false,
            blocked: false,
            ending: false,
            polled: timeline.now(),
            alarm: Box::pin(sleep_until(Instant::now())),
        }
    }

    /// Makes it one of the connections of a server, which share time and memory.
    pub(crate) fn sharing(self, share: Share, usage: Usage) -> Self {
        Self { share, usage, ..self }
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(crate) fn send(&mut self, payload: &[u8]) -> Result<u64, echo_core::ApiMisuse> {
        self.connection.send(self.timeline.now(), payload)
    }

    pub(crate) fn leave(&mut self, close_reason: CloseReason) {
        self.connection.leave(self.timeline.now(), close_reason);
    }

    /// Pauses or continues reading. In a pause input stays in the transport, and the peer waits.
    pub(crate) fn pause(&mut self, paused: bool) {
        if std::mem::replace(&mut self.paused, paused) != paused {
            self.connection.pause(self.timeline.now(), paused);
        }
    }

    pub(crate) fn abort(&mut self) {
        self.connection.abort(self.timeline.now());
    }

    /// Treats all running deadlines as passed. Returns whether there were any.
    pub(crate) fn hurry(&mut self) -> bool {
        let now = self.timeline.now();
        let running: Vec<_> = self.connection.running_deadlines().collect();
        running.iter().for_each(|deadline| self.connection.expire(now, *deadline));
        !running.is_empty()
    }

    /// Does all work that is possible without waiting. Ready once the conversation is over and the transport closed.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, on_event: &mut impl FnMut(Event<'_>)) -> Poll<Outcome> {
        self.wake();
        loop {
            let now = self.timeline.now();
            if !self.ending && self.connection.machine().is_ending() {
                self.ending = true;
                self.look(now);
            }
            if let Poll::Ready(outcome) = self.poll_output(cx, now) {
                self.close_stream(cx);
                return Poll::Ready(outcome);
            }
            if !self.usage.set(self.connection.owned_memory() + self.rest.owned()) {
                self.rest = Rest::default();
                self.connection.fail(now, CloseReason::new(CloseCode::TRY_LATER, OUT_OF_MEMORY));
                continue;
            }
            // A deadline also waits for a turn: received input is handled before it.
            if self.share.poll_turn(cx, now).is_pending() {
                return Poll::Pending;
            }
            if self.poll_input(cx, on_event).is_ready() && !self.share.is_spent() {
                continue;
            }
            // If input never stops, deadlines must still pass.
            let now = self.timeline.now();
            if self.connection.next_time().is_some_and(|due| due <= now) {
                self.look(now);
                self.connection.handle_time(now);
            } else if !self.share.is_spent() && self.poll_alarm(cx).is_pending() {
                self.share.rest(now);
                return Poll::Pending;
            }
        }
    }

    /// Closes the stream, but reads waiting input first: unread input makes the kernel send RST, which deletes output
    /// that is still to be sent (clause 5.9).
    fn close_stream(&mut self, cx: &mut Context<'_>) {
        /// Maximum number of reads, because a peer may send without end.
        const READS: usize = 16;
        let Some(mut stream) = self.stream.take() else { return };
        if self.read_over || self.connection.is_write_closed() {
            return;
        }
        let mut scratch = SCRATCH.take();
        scratch.resize(READ, 0);
        for _ in 0..READS {
            let mut buffer = ReadBuf::new(&mut scratch);
            let read = Pin::new(&mut stream).poll_read(cx, &mut buffer);
            if !matches!(read, Poll::Ready(Ok(()))) || buffer.filled().is_empty() {
                break;
            }
        }
        SCRATCH.set(scratch);
    }

    /// Begins a poll. If a deadline passed long ago and the driver was not polled since, the process was stopped:
    /// deadlines are delayed (clause 8.5).
    fn wake(&mut self) {
        let now = self.timeline.now();
        let away = now.saturating_sub(self.polled);
        let late = self.connection.next_time().is_some_and(|due| due.saturating_add(ASLEEP) < now);
        if late && away > ASLEEP {
            self.connection.handle_pause(away);
        }
        self.polled = now;
        if let Some(wall) = self.wall
            && self.connection.tells_time()
        {
            self.connection.set_wall(now, wall());
        }
    }

    /// Reports to the connection how much output the peer has not acknowledged (clause 8.6), if the transport can count
    /// it.
    fn look(&mut self, now: Duration) {
        if let Some(count) = self.stream.as_ref().and_then(Transport::unacknowledged) {
            self.connection.handle_unacknowledged(now, count);
        }
    }

    /// Writes until the transport takes no more or nothing is left to write.
    fn poll_output(&mut self, cx: &mut Context<'_>, now: Duration) -> Poll<Outcome> {
        while let Some(stream) = &mut self.stream {
            let stream = Pin::new(stream);
            match self.connection.poll_output(now) {
                Output::Transmit { header, payload } => {
                    let slices = [IoSlice::new(header), IoSlice::new(payload)];
                    match stream.poll_write_vectored(cx, &slices) {
                        Poll::Ready(Ok(0)) => self.connection.handle_write_failed(now),
                        Poll::Ready(Err(error)) => {
                            self.reset |= is_reset(&error);
                            self.connection.handle_write_failed(now);
                        }
                        Poll::Ready(Ok(count)) => {
                            self.unflushed = true;
                            self.blocked = false;
                            self.connection.handle_sent(now, count);
                        }
                        Poll::Pending => {
                            if !std::mem::replace(&mut self.blocked, true) {
                                self.look(now);
                            }
                            return Poll::Pending;
                        }
                    }
                }
                Output::Fin => match stream.poll_shutdown(cx) {
                    Poll::Ready(result) => {
                        if result.is_err() {
                            self.connection.handle_write_failed(now);
                        }
                        self.connection.handle_fin_sent(now);
                        self.look(now);
                    }
                    Poll::Pending => return Poll::Pending,
                },
                Output::Abort => {
                    if let Some(stream) = self.stream.take() {
                        stream.abort();
                    }
                    self.connection.handle_fin_sent(now);
                }
                Output::Wait(_) => {
                    if !self.unflushed {
                        return Poll::Pending;
                    }
                    match stream.poll_flush(cx) {
                        Poll::Ready(Ok(())) => self.unflushed = false,
                        Poll::Ready(Err(_)) => {
                            self.unflushed = false;
                            self.connection.handle_write_failed(now);
                        }
                        Poll::Pending => return Poll::Pending,
                    }
                }
                Output::Ended(outcome) => return Poll::Ready(outcome),
            }
        }
        match self.connection.outcome() {
            Some(outcome) => Poll::Ready(outcome),
            None => Poll::Pending,
        }
    }

    /// Reads once, if input is wanted. Ready if input or an end was handled.
    fn poll_input(&mut self, cx: &mut Context<'_>, on_event: &mut impl FnMut(Event<'_>)) -> Poll<()> {
        if !self.connection.wants_input() || self.read_over || self.paused {
            return Poll::Pending;
        }
        if !self.rest.is_empty() {
            let mut rest = std::mem::take(&mut self.rest);
            rest.at += self.take_in(rest.left(), self.timeline.now(), on_event);
            if !rest.is_empty() {
                self.rest = rest;
            }
            return Poll::Ready(());
        }
        let mut scratch = SCRATCH.take();
        scratch.resize(READ, 0);
        let came = self.read_into(&mut scratch, cx, on_event);
        SCRATCH.set(scratch);
        came
    }

    fn read_into(
        &mut self,
        scratch: &mut [u8],
        cx: &mut Context<'_>,
        on_event: &mut impl FnMut(Event<'_>),
    ) -> Poll<()> {
        let Some(stream) = &mut self.stream else { return Poll::Pending };
        let mut buffer = ReadBuf::new(scratch);
        let read = Pin::new(stream).poll_read(cx, &mut buffer);
        // Read the clock after the read: the input may be younger than the last write.
        let now = self.timeline.now();
        match read {
            Poll::Ready(Ok(())) => match buffer.filled() {
                [] if self.reset => self.handle_reset(now),
                [] => {
                    self.read_over = true;
                    self.connection.handle_fin(now);
                }
                filled => {
                    let taken = self.take_in(filled, now, on_event);
                    self.rest = Rest { bytes: filled[taken..].to_vec(), at: 0 };
                }
            },
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => (),
            // The transport refuses what the peer sent, so this side ends the connection.
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
                self.read_over = true;
                self.connection.abort(now);
            }
            Poll::Ready(Err(_)) => self.handle_reset(now),
            // The transport takes no bytes, and all it had received is read.
            Poll::Pending if self.connection.is_write_closed() && self.read_in_vain => self.handle_reset(now),
            Poll::Pending => {
                // tokio's budget may be spent although input is waiting, so poll once more.
                self.read_in_vain = self.connection.is_write_closed();
                if self.read_in_vain {
                    cx.waker().wake_by_ref();
                }
                return Poll::Pending;
            }
        }
        self.read_in_vain = false;
        Poll::Ready(())
    }

    fn handle_reset(&mut self, now: Duration) {
        self.read_over = true;
        self.connection.handle_reset(now);
    }

    /// Passes input to the connection while it takes more and the share is not spent. Returns the bytes taken.
    fn take_in(&mut self, input: &[u8], now: Duration, on_event: &mut impl FnMut(Event<'_>)) -> usize {
        let mut left = input;
        while !self.share.is_spent() {
            let before = left.len();
            let event = self.connection.handle_input(now, &mut left);
            self.share.spend(before - left.len());
            match event {
                Some(event) => on_event(event),
                None => break,
            }
        }
        input.len() - left.len()
    }

    /// Ready when the next deadline is due.
    fn poll_alarm(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(at) = self.connection.next_time().and_then(|since| self.timeline.at(since)) else {
            return Poll::Pending;
        };
        if self.alarm.deadline() != at {
            self.alarm.as_mut().reset(at);
        }
        self.alarm.as_mut().poll(cx)
    }
}

/// Bytes that were read, and how many of them are handled. It owns memory only while some are left.
#[derive(Debug, Default)]
struct Rest {
    bytes: Vec<u8>,
    at: usize,
}

impl Rest {
    fn left(&self) -> &[u8] {
        &self.bytes[self.at..]
    }

    fn is_empty(&self) -> bool {
        self.left().is_empty()
    }

    fn owned(&self) -> usize {
        self.bytes.capacity()
    }
}

/// Returns whether the whole connection ended, and not only the write direction.
fn is_reset(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, TimedOut};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | TimedOut)
}
