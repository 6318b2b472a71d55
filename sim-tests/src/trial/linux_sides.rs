//! Both sides of a run on Linux: their sockets, their I/O events, and the fault that waits for one of them.

use super::run::{TrialEntry, TrialEvent};
use super::scenario::{InjectedFault, Injection, TrialScenario};
use crate::support::Millis;
use echo_core::Role;
use echo_net::Transport;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// How long [`InjectedFault::DropUnread`] waits for unread input.
const DROP_UNREAD_TIMEOUT: Duration = Duration::from_secs(1);

/// Both sides, shared by their streams and the run.
#[derive(Clone, Debug)]
pub(super) struct Sides(Arc<Mutex<Inner>>);

#[derive(Debug)]
pub(super) struct Inner {
    scenario: TrialScenario,
    /// Maximum number of I/O events of a side.
    most_events: usize,
    begun: Instant,
    log: Vec<TrialEntry>,
    /// By [`Role`].
    sides: [Side; 2],
    /// What the run has to do to the network, in order.
    pub(super) wanted: Vec<Wanted>,
}

/// What a fault does to the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Hold every packet for this time, those in flight included; `None` is for ever.
    Cut(Option<Millis>),
    /// Cut the power of this side's host, and then [`Inner::forget`] its socket.
    PowerDown(Role),
}

#[derive(Debug)]
struct Side {
    stream: Option<TcpStream>,
    holder: Holder,
    events: usize,
    returned: bool,
    shut: bool,
}

/// What has become of a side's program and its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holder {
    Program,
    /// The program reads no more. Its stream is closed as soon as there is unread input, or at this time.
    NotReading(Instant),
    EndedByFault,
    /// The program was stopped, because it had too many I/O events.
    OverEventLimit,
    Dropped,
}

impl Sides {
    pub(super) fn new(scenario: TrialScenario, streams: [TcpStream; 2], most_events: usize) -> Self {
        let sides = streams.map(|stream| Side {
            stream: Some(stream),
            holder: Holder::Program,
            events: 0,
            returned: false,
            shut: false,
        });
        let (log, wanted) = Default::default();
        let inner = Inner { scenario, most_events, begun: Instant::now(), log, sides, wanted };
        let all = Self(Arc::new(Mutex::new(inner)));
        Role::BOTH.into_iter().for_each(|side| all.lock().inject_if_due(side));
        all
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn poll_read(&self, side: Role, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.lock().poll_read(side, cx, buffer)
    }

    pub(super) fn poll_write(&self, side: Role, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.lock().poll_write(side, cx, bytes)
    }

    pub(super) fn poll_shutdown(&self, side: Role, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.lock().poll_shutdown(side, cx)
    }

    pub(super) fn drop_stream(&self, side: Role) {
        self.lock().give_up(side, drop);
    }

    pub(super) fn abort_stream(&self, side: Role) {
        self.lock().give_up(side, Transport::abort);
    }
}

impl Inner {
    fn side(&mut self, side: Role) -> &mut Side {
        &mut self.sides[side as usize]
    }

    /// Returns the stream of a program that goes on.
    fn stream(&mut self, side: Role) -> Option<Pin<&mut TcpStream>> {
        if self.is_stopped(side) {
            return None;
        }
        self.side(side).stream.as_mut().map(Pin::new)
    }

    fn poll_read(&mut self, side: Role, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let most = buffer.remaining().min(self.scenario.network.most_read());
        let Some(stream) = self.stream(side) else { return Poll::Pending };
        if most == 0 {
            return Poll::Ready(Ok(()));
        }
        let mut bytes = vec![0; most];
        let mut part = ReadBuf::new(&mut bytes);
        let result = std::task::ready!(stream.poll_read(cx, &mut part));
        let filled = part.filled();
        buffer.put_slice(filled);
        self.event(
            side,
            match &result {
                Ok(()) if filled.is_empty() => TrialEvent::ReadEnd,
                Ok(()) => TrialEvent::Read(filled.len()),
                Err(error) => TrialEvent::ReadFailed(error.kind()),
            },
        );
        Poll::Ready(result)
    }

    fn poll_write(&mut self, side: Role, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Some(stream) = self.stream(side) else { return Poll::Pending };
        let result = std::task::ready!(stream.poll_write(cx, bytes));
        match &result {
            Ok(0) => (),
            Ok(count) => self.event(side, TrialEvent::Wrote(*count)),
            Err(error) => self.event(side, TrialEvent::WriteFailed(error.kind())),
        }
        Poll::Ready(result)
    }

    fn poll_shutdown(&mut self, side: Role, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(stream) = self.stream(side) else { return Poll::Pending };
        let result = std::task::ready!(stream.poll_shutdown(cx));
        if !std::mem::replace(&mut self.side(side).shut, true) {
            self.event(side, TrialEvent::ShutDown);
        }
        Poll::Ready(result)
    }

    /// The program drops or aborts its stream.
    fn give_up(&mut self, side: Role, close: fn(TcpStream)) {
        if self.side(side).holder == Holder::Program {
            self.side(side).holder = Holder::Dropped;
            self.side(side).stream.take().into_iter().for_each(close);
            self.event(side, TrialEvent::Dropped);
        }
    }

    // ---- the log, and the fault ----

    pub(super) fn note(&mut self, side: Role, what: TrialEvent) {
        let at = Millis::try_from(self.begun.elapsed().as_millis()).unwrap_or(Millis::MAX);
        self.log.push(TrialEntry { at, side, connection: Some(1), what, label: None });
    }

    fn event(&mut self, side: Role, what: TrialEvent) {
        self.note(side, what);
        self.side(side).events += 1;
        if self.side(side).events > self.most_events && self.side(side).holder == Holder::Program {
            self.side(side).holder = Holder::OverEventLimit;
            self.note(side, TrialEvent::TooManyEvents);
        }
        self.inject_if_due(side);
    }

    fn inject_if_due(&mut self, side: Role) {
        let events = self.side(side).events;
        for injection in self.scenario.injections().filter(|one| one.side == side && one.event == events) {
            self.inject(injection);
        }
    }

    fn inject(&mut self, Injection { side, fault, .. }: Injection) {
        let holds = self.side(side).holder == Holder::Program;
        if fault.needs_a_stream() && !holds {
            return;
        }
        self.note(side, TrialEvent::Injected(fault));
        match fault {
            InjectedFault::DropUnread if !self.has_unread(side) => {
                self.side(side).holder = Holder::NotReading(Instant::now() + DROP_UNREAD_TIMEOUT);
            }
            // The kernel closes the sockets of a program that crashes as it closes any.
            InjectedFault::Drop | InjectedFault::DropUnread | InjectedFault::Crash => self.end(side, drop),
            InjectedFault::HalfClose => {
                if let Some(stream) = &mut self.side(side).stream {
                    // It is done at once. An error shows to the program, too.
                    let _ = Pin::new(stream).poll_shutdown(&mut Context::from_waker(Waker::noop()));
                }
            }
            InjectedFault::Abort => self.end(side, Transport::abort),
            InjectedFault::Vanish => {
                // Its socket stays until the power is off, so that it sends no FIN and no RST.
                let stream = self.side(side).stream.take();
                self.end(side, drop);
                self.side(side).stream = stream;
                self.wanted.push(Wanted::PowerDown(side));
            }
            InjectedFault::Nothing
            | InjectedFault::Refuse
            | InjectedFault::Ignore
            | InjectedFault::AcceptAndClose
            | InjectedFault::FailAccept
            | InjectedFault::FailFlush
            | InjectedFault::FailShutdown
            | InjectedFault::Cancel
            | InjectedFault::ClockJump => (),
        }
        if let Some(span) = self.scenario.network.cut() {
            self.note(side, TrialEvent::Cut);
            self.wanted.push(Wanted::Cut(span));
        }
    }

    /// Ends the program of `side`. If it has ended before, and its stream is dropped, nothing changes.
    fn end(&mut self, side: Role, close: fn(TcpStream)) {
        let this = self.side(side);
        this.stream.take().into_iter().for_each(close);
        if this.holder != Holder::Dropped || !this.returned {
            this.holder = Holder::EndedByFault;
        }
    }

    fn has_unread(&mut self, side: Role) -> bool {
        let mut byte = [0];
        let mut buffer = ReadBuf::new(&mut byte);
        let Some(stream) = &mut self.side(side).stream else { return false };
        let peeked = stream.poll_peek(&mut Context::from_waker(Waker::noop()), &mut buffer);
        matches!(peeked, Poll::Ready(Ok(1)))
    }

    // ---- for the run ----

    /// Removes the socket of a host without power. Its RST is lost.
    pub(super) fn forget(&mut self, side: Role) {
        self.side(side).stream.take().into_iter().for_each(Transport::abort);
    }

    /// Closes the streams of programs that read no more, once there is unread input.
    pub(super) fn close_unread(&mut self) {
        for side in Role::BOTH {
            if let Holder::NotReading(until) = self.side(side).holder
                && (Instant::now() >= until || self.has_unread(side))
            {
                self.end(side, drop);
            }
        }
    }

    /// Returns whether the program of `side` was stopped, by a fault or by the limit of I/O events.
    pub(super) fn is_stopped(&self, side: Role) -> bool {
        self.is_ended_by_fault(side) || self.sides[side as usize].holder == Holder::OverEventLimit
    }

    /// Returns whether a fault ended the program of `side`.
    pub(super) fn is_ended_by_fault(&self, side: Role) -> bool {
        matches!(self.sides[side as usize].holder, Holder::EndedByFault | Holder::NotReading(_))
    }

    /// Returns whether a side was stopped because it had too many I/O events.
    pub(super) fn is_over_event_limit(&self) -> bool {
        self.sides.iter().any(|side| side.holder == Holder::OverEventLimit)
    }

    /// Notes that the future of `side` has returned or panicked.
    pub(super) fn finish(&mut self, side: Role, what: TrialEvent) {
        self.side(side).returned = true;
        self.event(side, what);
    }

    /// Returns whether both sides have ended.
    pub(super) fn is_over(&self) -> bool {
        let over = |side: &Side| match side.holder {
            Holder::EndedByFault => true,
            Holder::Dropped => side.returned,
            Holder::Program | Holder::NotReading(_) | Holder::OverEventLimit => false,
        };
        self.sides.iter().all(over)
    }

    /// Returns the sides whose future has ended, and whose stream is open.
    pub(super) fn leaking(&self) -> Vec<Role> {
        let leaks = |side: &Role| {
            let this = &self.sides[*side as usize];
            this.returned && this.holder == Holder::Program
        };
        Role::BOTH.into_iter().filter(leaks).collect()
    }

    /// Returns the log, and the time now.
    pub(super) fn take_log(&mut self) -> (Vec<TrialEntry>, Millis) {
        let now = Millis::try_from(self.begun.elapsed().as_millis()).unwrap_or(Millis::MAX);
        (std::mem::take(&mut self.log), now)
    }
}
