//! The loop between a connection and its transport. It takes no decision about the protocol.

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

/// How much is read at once.
const READ: usize = 64 * 1024;

/// An alarm that is so late says that the process did not run.
const ASLEEP: Duration = Duration::from_secs(1);
const OUT_OF_MEMORY: &str = "try again later: the server's memory is used up";

thread_local! {
    /// Read into before it is known whether there is anything to read, so that an idle connection owns no buffer.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A connection on its transport.
pub(crate) struct Driver<T> {
    /// `None` once it was let go.
    stream: Option<T>,
    connection: Connection,
    timeline: Timeline,
    /// The wall clock, where the times on the plain wire follow it.
    wall: Option<fn() -> Stamp>,
    /// Input that was read and must wait for its turn, or until the peer has read.
    rest: Rest,
    share: Share,
    usage: Usage,
    /// There is nothing more to read: FIN or a reset has come.
    read_over: bool,
    /// The user takes no more input for now.
    paused: bool,
    /// The transport takes nothing, and the last read gave nothing either.
    read_in_vain: bool,
    /// A write was told that the connection was reset. Linux tells that once, and gives reads an end then.
    reset: bool,
    /// Something was written since the last flush.
    unflushed: bool,
    /// The transport took no more when it was last written to.
    blocked: bool,
    /// The ending has begun.
    ending: bool,
    /// When it was last polled.
    polled: Duration,
    alarm: Pin<Box<Sleep>>,
}

impl<T: Transport> Driver<T> {
    /// Begins a connection now; `make` gets the settings with the clock's time zone, and the wall time.
    pub(crate) fn new(stream: T, clock: Clock, config: Config, make: impl FnOnce(Config, Stamp) -> Connection) -> Self {
        let config = Config { utc_offset: clock.utc_offset, ..config };
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

    /// The same, as one of the connections of a server that share its time and its memory.
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

    /// Whether to leave what comes in the transport, and so the peer waiting, for now.
    pub(crate) fn pause(&mut self, paused: bool) {
        if std::mem::replace(&mut self.paused, paused) != paused {
            self.connection.pause(self.timeline.now(), paused);
        }
    }

    pub(crate) fn abort(&mut self) {
        self.connection.abort(self.timeline.now());
    }

    /// Waits no longer for anything that has a deadline: takes it that the deadlines have come. Gives whether there
    /// were any.
    pub(crate) fn hurry(&mut self) -> bool {
        let now = self.timeline.now();
        let running: Vec<_> = self.connection.running_deadlines().collect();
        running.iter().for_each(|deadline| self.connection.expire(now, *deadline));
        !running.is_empty()
    }

    /// Does all that can be done without waiting. Ready once the conversation is over and the transport let go.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, on_event: &mut impl FnMut(Event<'_>)) -> Poll<Outcome> {
        self.wake();
        loop {
            let now = self.timeline.now();
            if !self.ending && self.connection.machine().is_ending() {
                self.ending = true;
                self.look(now);
            }
            if let Poll::Ready(outcome) = self.poll_output(cx, now) {
                self.let_go(cx);
                return Poll::Ready(outcome);
            }
            if !self.usage.set(self.connection.owned_memory() + self.rest.owned()) {
                self.rest = Rest::default();
                self.connection.fail(now, CloseReason::new(CloseCode::TRY_LATER, OUT_OF_MEMORY));
                continue;
            }
            // A deadline waits for the turn, too: what has come is read before it is held against the peer.
            if self.share.poll_turn(cx, now).is_pending() {
                return Poll::Pending;
            }
            if self.poll_input(cx, on_event).is_ready() && !self.share.is_spent() {
                continue;
            }
            // Unless what comes never ceases.
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

    /// Lets go of the stream, and reads what has come before: input that is left unread makes the kernel send RST, which
    /// deletes what it still has to send (5.9).
    fn let_go(&mut self, cx: &mut Context<'_>) {
        /// How often, for a peer may go on sending.
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

    /// Begins to act again. Clause 8.5: if a deadline passed long ago, and this was not polled either, its process was stopped meanwhile.
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

    /// Tells the connection how much of its output the peer has not taken (clause 8.6), if that can be told.
    fn look(&mut self, now: Duration) {
        if let Some(count) = self.stream.as_ref().and_then(Transport::unacknowledged) {
            self.connection.handle_unacknowledged(now, count);
        }
    }

    /// Writes until the transport takes no more or there is no more to write.
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

    /// Reads once, if input is wanted; ready when something came.
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
        // After the read: what came may be younger than what was written before it.
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
            // The transport does not take what the peer sends: that is our end of it.
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
                self.read_over = true;
                self.connection.abort(now);
            }
            Poll::Ready(Err(_)) => self.handle_reset(now),
            // It cannot be written to, and all it had received is read.
            Poll::Pending if self.connection.is_write_closed() && self.read_in_vain => self.handle_reset(now),
            Poll::Pending => {
                // The runtime may have held back what is there (its budget is spent), so one more poll must tell.
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

    /// Takes in what the connection takes, and what the share allows; gives how much that was.
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

    /// Ready when the next deadline has come.
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

/// Bytes that were read, and how many of them were taken in. It owns memory only while some are left.
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

/// Whether this is the connection's end, and not only that of the direction in which was written.
fn is_reset(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, TimedOut};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | TimedOut)
}
