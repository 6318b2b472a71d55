//! The loop between a connection and its transport. It makes no protocol decisions.

mod alarm;
mod input;
mod output;

use crate::clock::{Clock, Timeline};
use crate::memory::Usage;
use crate::transport::Transport;
use crate::turns::Share;
use echo_core::{AnswerBatch, ApiMisuse, CloseCode, CloseReason, Connection, Event, Failure, Outcome};
use echo_core::{RequestBatch, Stamp};
use input::Rest;
use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::ReadBuf;
use tokio::time::Sleep;

/// Maximum bytes of one read: four messages of 64 KiB.
const READ: usize = 272 * 1024;

/// If an alarm is this late, the process did not run.
const ASLEEP: Duration = Duration::from_secs(1);

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

/// What a request got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Given {
    Answer,
    Failure,
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
    /// Bytes that the user holds.
    held: usize,
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
    alarm: Option<Pin<Box<Sleep>>>,
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
            held: 0,
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

    /// Returns the time since it began.
    pub(crate) fn age(&self) -> Duration {
        self.timeline.now()
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Sends a request, in a task that has called [`wake`](Self::wake) since it was woken.
    pub(crate) fn send(&mut self, payload: &[u8]) -> Result<u64, ApiMisuse> {
        self.connection.send(self.now, payload)
    }

    /// Answers a request. An answer that is too long has failed; one that nobody can get any more is dropped.
    pub(crate) fn give(&mut self, seq: u64, answer: Result<Vec<u8>, Failure>) -> Given {
        let now = self.timeline.now();
        let failure = match answer {
            Ok(payload) => match self.connection.reply(now, seq, &payload) {
                // It is owed: this call changed nothing.
                Err(ApiMisuse::TooBig { len, limit }) => {
                    let reason = format!("the response of {len} bytes is over the limit of {limit}");
                    Failure::new(CloseCode::TOO_BIG, reason)
                }
                Ok(()) | Err(_) => return Given::Answer,
            },
            Err(failure) => failure,
        };
        let _ = self.connection.fail_request(now, seq, failure);
        Given::Failure
    }

    /// Takes a plain message that was cut off by quiet or by FIN.
    pub(crate) fn take_cut_off(&mut self) -> Option<(u64, Vec<u8>)> {
        self.connection.take_cut_off()
    }

    /// Counts `bytes` that the user of the connection holds for it as memory of the connection.
    pub(crate) fn hold(&mut self, bytes: usize) {
        self.held = bytes;
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
            let rest = self.rest.as_ref().map_or(0, |rest| rest.owned());
            if !self.usage.set(self.connection.owned_memory() + rest + self.held) {
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
}
