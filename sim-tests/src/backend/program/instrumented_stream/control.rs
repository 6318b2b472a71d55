//! What the harness does with a stream from below.

#[cfg(feature = "packet")]
use super::super::pace::Pace;
use super::{State, StreamControl, lock};
use crate::record::event_log::LogEvent;
use crate::scenario::plan::{Action, Point, Step};
use echo_net::Transport;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use tokio::io::ReadBuf;

impl<S: Transport> StreamControl<S> {
    /// Carries out a step from below. Must be called where the stream may be used.
    pub(in crate::backend) fn act(&self, step: Step) {
        let mut inner = lock(&self.0);
        match step.action {
            // Wishes of the program, not of its socket.
            Action::Close => (),
            Action::HalfClose => {
                let _ = inner.shut_down(&mut Context::from_waker(Waker::noop()));
            }
            Action::Drop | Action::Crash | Action::Vanish => inner.let_go(State::Gone),
            Action::DropUnread => inner.state = State::Unread,
            Action::Abort => inner.let_go(State::Aborted),
            Action::Violate => inner.violate(),
        }
        inner.wake();
    }

    /// The program was told its part of the plan: it is not held up at `point` any more.
    pub(in crate::backend) fn release(&self, point: Point) {
        lock(&self.0).release(point);
    }

    /// From now on the program never reads.
    pub(in crate::backend) fn deafen(&self) {
        lock(&self.0).state = State::Deaf;
    }

    /// Once there is something to read for a program that reads no more, lets go of it unread. Ready when done.
    pub(in crate::backend) fn poll_unread(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut inner = lock(&self.0);
        if inner.state != State::Unread {
            return Poll::Pending;
        }
        let Some(stream) = &mut inner.stream else { return Poll::Pending };
        // One byte is taken to see that something is there. A FIN, or a RST, is nothing to leave unread.
        let mut byte = [0];
        let mut buffer = ReadBuf::new(&mut byte);
        match Pin::new(stream).poll_read(cx, &mut buffer) {
            Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                inner.note(LogEvent::LetGo);
                inner.let_go(State::Aborted);
                Poll::Ready(())
            }
            Poll::Ready(_) | Poll::Pending => Poll::Pending,
        }
    }
}

/// What the harness keeps from the stack's sockets.
#[cfg(feature = "packet")]
impl<S: Transport> StreamControl<S> {
    /// The program reads `takes` bytes every [`PACE`], and its transport is asked how much the peer has taken.
    pub(in crate::backend) fn slow_down(&self, takes: usize) {
        let mut inner = lock(&self.0);
        inner.pace = Some(Pace::new(takes));
    }

    /// The peer's RST has arrived: a program that waits to write must not wait for its write limit.
    pub(in crate::backend) fn break_off(&self) {
        let mut inner = lock(&self.0);
        inner.broken = true;
        inner.wake();
    }
}

/// What turmoil's sockets do not do by themselves.
#[cfg(feature = "turmoil")]
impl<S: Transport> StreamControl<S> {
    /// So many of the bytes that its program has written were taken; and whether a part of what the peer has written
    /// has arrived, which counts as unread.
    pub(in crate::backend) fn set_taken(&self, taken: usize, arriving: bool) {
        let mut inner = lock(&self.0);
        inner.taken = Some(taken);
        inner.arriving = arriving;
    }

    /// Whether its program, or its plan, let go by RST.
    pub(in crate::backend) fn is_aborted(&self) -> bool {
        lock(&self.0).state == State::Aborted
    }

    /// Whether a RST is due that turmoil does not send: for a socket that was let go behind its FIN. Asked once.
    pub(in crate::backend) fn owes_reset(&self) -> bool {
        let mut inner = lock(&self.0);
        let owes = inner.state == State::Aborted && inner.shut && !inner.reset;
        inner.shut &= !owes;
        owes
    }

    /// Whether the peer's RST has arrived.
    pub(in crate::backend) fn is_reset(&self) -> bool {
        lock(&self.0).reset
    }

    /// A RST arrives that turmoil knows nothing of.
    pub(in crate::backend) fn reset(&self) {
        let mut inner = lock(&self.0);
        inner.reset = true;
        inner.wake();
    }

    /// A FIN arrives that turmoil knows nothing of.
    pub(in crate::backend) fn fin(&self) {
        let mut inner = lock(&self.0);
        inner.fin = true;
        inner.wake();
    }
}
