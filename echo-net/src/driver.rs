//! The loop between a connection and its transport. It makes no protocol decisions.

use crate::clock::{Clock, Timeline};
use crate::memory::Usage;
use crate::transport::Transport;
use crate::turns::Share;
use echo_core::{AnswerBatch, CloseCode, CloseReason, Connection, Event, Outcome, Output, RequestBatch, Role, Stamp};
use std::cell::Cell;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::io::ReadBuf;
use tokio::time::{Sleep, sleep_until};

/// Maximum bytes of one read: four messages of 64 KiB.
const READ: usize = 272 * 1024;

/// Fewer bytes of input than this are answered within a microsecond, so their answers leave when they were read.
const FEW: usize = 4096;

/// If an alarm is this late, the process did not run.
const ASLEEP: Duration = Duration::from_secs(1);
/// The first alarm rings at the latest after this time. The deadlines of an ending are longer, so a conversation that is
/// shorter sets one alarm and never moves it: an alarm that becomes the earliest of all costs a system call.
const FIRST: Duration = Duration::from_secs(1);

const OUT_OF_MEMORY: &str = "try again later: the server's memory is used up";

/// Buffers of a thread, so that an idle connection owns none.
#[derive(Default)]
struct Scratch {
    /// What was read last.
    input: Vec<u8>,
    answers: AnswerBatch,
    requests: RequestBatch,
}

thread_local! {
    /// In a box, so that it is cheap to take and to put back.
    static SCRATCH: Cell<Option<Box<Scratch>>> = const { Cell::new(None) };
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
    rest: Option<Box<Rest>>,
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
    /// The time of the last poll, or of what was read in it.
    now: Duration,
    /// `None` before the first wait.
    alarm: Option<Alarm>,
}

impl<T: Transport> Driver<T> {
    /// Begins a connection now. `make` receives the wall time.
    pub(crate) fn new(stream: T, clock: Clock, make: impl FnOnce(Stamp) -> Connection) -> Self {
        let timeline = Timeline::begin();
        Self {
            stream: Some(stream),
            connection: make((clock.wall)()),
            timeline,
            wall: (!clock.steady).then_some(clock.wall),
            rest: None,
            share: Share::default(),
            usage: Usage::default(),
            read_over: false,
            paused: false,
            read_in_vain: false,
            reset: false,
            unflushed: false,
            blocked: false,
            ending: false,
            now: timeline.now(),
            alarm: None,
        }
    }

    /// Makes it one of the connections of a server, which share time and memory.
    pub(crate) fn sharing(self, share: Share, usage: Usage) -> Self {
        Self { share, usage, ..self }
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Sends a request, in a task that has called [`wake`](Self::wake) since it was woken.
    pub(crate) fn send(&mut self, payload: &[u8]) -> Result<u64, echo_core::ApiMisuse> {
        self.connection.send(self.now, payload)
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
            let now = self.now;
            if !self.ending && self.connection.machine().is_ending() {
                self.ending = true;
                self.look(now);
            }
            if let Poll::Ready(outcome) = self.poll_output(cx, now) {
                self.close_stream(cx);
                return Poll::Ready(outcome);
            }
            let rest = self.rest.as_ref().map_or(0, |rest| rest.bytes.capacity());
            if !self.usage.set(self.connection.owned_memory() + rest) {
                self.rest = None;
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
            let now = self.now;
            let due = self.connection.next_time();
            if due.is_some_and(|due| due <= now) {
                self.look(now);
                self.connection.handle_time(now);
            } else if !self.share.is_spent() {
                if self.poll_alarm(cx, due).is_pending() {
                    self.share.rest(now);
                    return Poll::Pending;
                }
                // It can ring after this poll began.
                self.now = self.timeline.now();
            }
        }
    }

    /// Closes the stream, but reads waiting input first: unread input makes the kernel send RST, which deletes output
    /// that is still to be sent (clause 5.9).
    fn close_stream(&mut self, cx: &mut Context<'_>) {
        /// Maximum number of reads, because a peer may send without end.
        const READS: usize = 4;
        let Some(mut stream) = self.stream.take() else { return };
        if self.read_over || self.connection.is_write_closed() {
            return;
        }
        let mut scratch = SCRATCH.take().unwrap_or_default();
        scratch.input.resize(READ, 0);
        for _ in 0..READS {
            let mut buffer = ReadBuf::new(&mut scratch.input);
            let read = Pin::new(&mut stream).poll_read(cx, &mut buffer);
            if !matches!(read, Poll::Ready(Ok(()))) || buffer.filled().is_empty() {
                break;
            }
        }
        SCRATCH.set(Some(scratch));
    }

    /// Reads the clock when the task is woken. If a deadline passed long ago and the driver was not polled since, the
    /// process was stopped: deadlines are delayed (clause 8.5).
    pub(crate) fn wake(&mut self) {
        let now = self.timeline.now();
        let away = now.saturating_sub(self.now);
        if away > ASLEEP && self.connection.next_time().is_some_and(|due| due.saturating_add(ASLEEP) < now) {
            self.connection.handle_pause(away);
        }
        self.now = now;
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
                    let filled = if payload.is_empty() { &slices[..1] } else { &slices };
                    match taken(write_slices(stream, cx, filled), &mut self.reset, &mut self.unflushed) {
                        None => self.connection.handle_write_failed(now),
                        Some(0) => {
                            if !std::mem::replace(&mut self.blocked, true) {
                                self.look(now);
                            }
                            return Poll::Pending;
                        }
                        Some(count) => {
                            self.blocked = false;
                            self.connection.handle_sent(now, count);
                        }
                    }
                }
                Output::Fin => match stream.poll_shutdown(cx) {
                    Poll::Ready(result) => {
                        if result.is_err() {
                            self.connection.handle_write_failed(now);
                        }
                        self.connection.handle_fin_sent(now);
                        // If the peer's FIN was read before, nothing waits any more.
                        if self.connection.outcome().is_none() {
                            self.look(now);
                        }
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
                        Poll::Ready(Ok(())) => {
                            self.unflushed = false;
                            return Poll::Pending;
                        }
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
        if let Some(mut rest) = self.rest.take() {
            self.now = self.timeline.now();
            rest.at += self.take_in(&rest.bytes[rest.at..], on_event);
            if rest.at < rest.bytes.len() {
                self.rest = Some(rest);
            }
            return Poll::Ready(());
        }
        let mut scratch = SCRATCH.take().unwrap_or_default();
        scratch.input.resize(READ, 0);
        let came = self.read_into(&mut scratch, cx, on_event);
        SCRATCH.set(Some(scratch));
        came
    }

    fn read_into(
        &mut self,
        scratch: &mut Scratch,
        cx: &mut Context<'_>,
        on_event: &mut impl FnMut(Event<'_>),
    ) -> Poll<()> {
        let Some(stream) = &mut self.stream else { return Poll::Pending };
        let mut buffer = ReadBuf::new(&mut scratch.input);
        let read = Pin::new(stream).poll_read(cx, &mut buffer);
        if read.is_ready() {
            // The input may be younger than the last write.
            self.now = self.timeline.now();
        }
        let now = self.now;
        match read {
            Poll::Ready(Ok(())) => match buffer.filled() {
                [] if self.reset => self.handle_reset(now),
                [] => {
                    self.read_over = true;
                    self.connection.handle_fin(now);
                }
                filled => {
                    let answered = self.take_batches(filled, &mut scratch.answers, cx, on_event);
                    let left = &filled[answered..];
                    let taken = self.take_in(left, on_event);
                    let rest = &left[taken..];
                    self.rest = (!rest.is_empty()).then(|| Box::new(Rest { bytes: rest.to_vec(), at: 0 }));
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

    /// Makes the requests that `fill` adds to a batch, and writes them at once. `None` if that is not possible now, and
    /// [`send`](Self::send) is.
    pub(crate) fn send_batch<R>(
        &mut self,
        cx: &mut Context<'_>,
        fill: impl FnOnce(&mut Context<'_>, &mut RequestBatch) -> R,
    ) -> Option<R> {
        let stream = self.stream.as_mut()?;
        let mut scratch = SCRATCH.take().unwrap_or_default();
        let filled = self.connection.begin_batch(&mut scratch.requests).then(|| {
            let filled = fill(cx, &mut scratch.requests);
            // The requests leave now, after what was written since the task was woken.
            self.now = self.timeline.now();
            let (reset, unflushed) = (&mut self.reset, &mut self.unflushed);
            self.connection.send_batch(self.now, &mut scratch.requests, |bytes| {
                taken(Pin::new(stream).poll_write(cx, bytes), reset, unflushed)
            });
            filled
        });
        SCRATCH.set(Some(scratch));
        filled
    }

    /// Handles messages in order, and writes answers at once. Returns the bytes of input taken.
    fn take_batches(
        &mut self,
        input: &[u8],
        batch: &mut AnswerBatch,
        cx: &mut Context<'_>,
        on_event: &mut impl FnMut(Event<'_>),
    ) -> usize {
        let mut left = input;
        let now = self.now;
        let Self { stream: Some(stream), connection, timeline, reset, unflushed, share, .. } = self else { return 0 };
        loop {
            let before = left.len();
            let count = match connection.machine().role() {
                Role::Client => connection.take_batch(now, &mut left, |reply| on_event(Event::Reply(reply))),
                Role::Server => connection.serve_batch(
                    now,
                    &mut left,
                    batch,
                    || if before < FEW { now } else { timeline.now() },
                    |slices| taken(write_slices(Pin::new(&mut *stream), cx, slices), reset, unflushed),
                ),
            };
            if count == 0 {
                return input.len() - left.len();
            }
            share.spend_batch(count, before - left.len());
        }
    }

    /// Passes input to the connection while it takes more and the share is not spent. Returns the bytes taken.
    fn take_in(&mut self, input: &[u8], on_event: &mut impl FnMut(Event<'_>)) -> usize {
        let mut left = input;
        while !left.is_empty() && !self.share.is_spent() {
            let before = left.len();
            let event = self.connection.handle_input(self.now, &mut left);
            self.share.spend(before - left.len());
            match event {
                Some(event) => on_event(event),
                None => break,
            }
        }
        if left.len() < input.len() {
            // Answers are stamped when they leave, not when the input was read.
            self.now = self.timeline.now();
        }
        input.len() - left.len()
    }

    /// Ready when `due` is reached, the time of the next deadline.
    fn poll_alarm(&mut self, cx: &mut Context<'_>, due: Option<Duration>) -> Poll<()> {
        let Some(due) = due else { return Poll::Pending };
        let alarm = match &mut self.alarm {
            Some(alarm) => alarm,
            // A deadline that is out of tokio's range never passes.
            None => match Alarm::new(&self.timeline, due.min(self.now + FIRST)) {
                Some(alarm) => self.alarm.insert(alarm),
                None => return Poll::Pending,
            },
        };
        let rings = alarm.poll(cx, &self.timeline, self.now, due);
        if rings.is_pending()
            && let Some(stream) = &self.stream
        {
            stream.waits_until(alarm.sleep.deadline());
        }
        rings
    }
}

/// Wakes the task for the next deadline.
struct Alarm {
    sleep: Pin<Box<Sleep>>,
    /// When it rings.
    at: Duration,
    /// Whom it wakes. `None` if it has rung.
    waker: Option<Waker>,
}

impl Alarm {
    fn new(timeline: &Timeline, due: Duration) -> Option<Self> {
        Some(Self { sleep: Box::pin(sleep_until(timeline.at(due)?)), at: due, waker: None })
    }

    /// Ready when `due` is reached.
    fn poll(&mut self, cx: &mut Context<'_>, timeline: &Timeline, now: Duration, due: Duration) -> Poll<()> {
        // Most deadlines move on with each message: the alarm stays, and moves only when it rings.
        let waits = now < self.at && self.at <= due;
        if waits && self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            return Poll::Pending;
        }
        while due < self.at || self.sleep.as_mut().poll(cx).is_ready() {
            self.waker = None;
            if due == self.at {
                return Poll::Ready(());
            }
            let Some(at) = timeline.at(due) else { return Poll::Pending };
            self.sleep.as_mut().reset(at);
            self.at = due;
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// Bytes that were read, and how many of them are handled.
#[derive(Debug)]
struct Rest {
    bytes: Vec<u8>,
    at: usize,
}

/// Returns what a connection has to know of a write: the bytes taken, 0 if it is pending, or `None` if it failed.
fn taken(write: Poll<io::Result<usize>>, reset: &mut bool, unflushed: &mut bool) -> Option<usize> {
    match write {
        Poll::Ready(Ok(0)) => None,
        Poll::Ready(Ok(count)) => {
            *unflushed = true;
            Some(count)
        }
        Poll::Ready(Err(error)) => {
            *reset |= is_reset(&error);
            None
        }
        Poll::Pending => Some(0),
    }
}

/// Writes slices. The system writes a single one faster as a buffer.
fn write_slices<T: Transport>(
    stream: Pin<&mut T>,
    cx: &mut Context<'_>,
    slices: &[IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    match slices {
        [slice] => stream.poll_write(cx, slice),
        _ => stream.poll_write_vectored(cx, slices),
    }
}

/// Returns whether the whole connection ended, and not only the write direction.
fn is_reset(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, TimedOut};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | TimedOut)
}
