//! What the harness does with a stream, without its program.

#[cfg(feature = "packet")]
use super::super::pace::Pace;
#[cfg(any(feature = "turmoil", feature = "packet"))]
use super::PeerReset;
#[cfg(feature = "turmoil")]
use super::{Buffered, Outgoing, RelayFin};
use super::{State, StreamControl, lock};
use crate::record::event_log::LogEvent;
use crate::scenario::plan::{Action, Point, Step};
use crate::scenario::reading::Reading;
use echo_net::Transport;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use tokio::io::ReadBuf;
#[cfg(feature = "turmoil")]
use tokio::time::Instant;

impl<S: Transport> StreamControl<S> {
    /// Carries out a step on the stream. Must be called where the stream may be used.
    pub(in crate::backend) fn act(&self, step: Step) {
        let mut inner = lock(&self.0);
        match step.action {
            // The program itself closes.
            Action::Close => (),
            Action::HalfClose => {
                let _ = inner.shut_down(&mut Context::from_waker(Waker::noop()));
            }
            Action::Drop | Action::Crash | Action::Vanish => inner.close(State::Closed),
            Action::DropUnread => inner.state = State::Open(Reading::UntilInput),
            Action::Abort => inner.close(State::Aborted),
            Action::Violate => inner.violate(),
        }
        inner.wake();
    }

    /// Ends the pause and the write limit at `point`, whose step was carried out.
    pub(in crate::backend) fn release(&self, point: Point) {
        lock(&self.0).release(point);
    }

    /// Stops all reads of the program from now on.
    pub(in crate::backend) fn stop_reading(&self) {
        lock(&self.0).state = State::Open(Reading::Never);
    }

    /// Drops the stream once there is unread input, if the plan demands it. Ready when it was dropped.
    pub(in crate::backend) fn poll_drop_unread(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut inner = lock(&self.0);
        if inner.state != State::Open(Reading::UntilInput) {
            return Poll::Pending;
        }
        let Some(stream) = &mut inner.stream else { return Poll::Pending };
        // Reads one byte to see whether there is input. A FIN or a RST is not input.
        let mut byte = [0];
        let mut buffer = ReadBuf::new(&mut byte);
        match Pin::new(stream).poll_read(cx, &mut buffer) {
            Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                inner.note(LogEvent::DroppedUnread);
                inner.close(State::Aborted);
                Poll::Ready(())
            }
            Poll::Ready(_) | Poll::Pending => Poll::Pending,
        }
    }
}

/// For networks whose readers are slow by themselves.
#[cfg(feature = "packet")]
impl<S: Transport> StreamControl<S> {
    /// Limits the program to `takes` bytes in every [`READ_INTERVAL`](crate::network::READ_INTERVAL). From then on the
    /// transport is asked how much the peer has acknowledged.
    pub(in crate::backend) fn slow_down(&self, takes: usize) {
        let mut inner = lock(&self.0);
        inner.pace = Some(Pace::new(takes));
    }
}

/// What the packet network needs.
#[cfg(feature = "packet")]
impl<S: Transport> StreamControl<S> {
    /// Notes that the peer's RST has arrived: a program that waits to write no longer waits for its write limit.
    pub(in crate::backend) fn break_off(&self) {
        let mut inner = lock(&self.0);
        if inner.peer_reset == PeerReset::No {
            inner.peer_reset = PeerReset::Arrived;
        }
        inner.wake();
    }
}

/// What turmoil's sockets do not do by themselves.
#[cfg(feature = "turmoil")]
impl<S: Transport> StreamControl<S> {
    /// Sets how many of the bytes that the program has written the peer has read. `arriving` says whether a packet of
    /// the peer has arrived in part; it counts as unread input.
    pub(in crate::backend) fn set_taken(&self, taken: usize, arriving: bool) {
        lock(&self.0).buffered = Some(Buffered { taken, arriving });
    }

    /// When the program acts next if nothing arrives, on the clock of its host.
    pub(in crate::backend) fn alarm(&self) -> Option<Instant> {
        let inner = lock(&self.0);
        inner.alarm.into_iter().chain(inner.calls.iter().copied()).min()
    }

    /// Adds a time at which a call of the program ends.
    pub(in crate::backend) fn add_alarm(&self, due: Instant) {
        lock(&self.0).calls.push(due);
    }

    /// Removes such a time.
    pub(in crate::backend) fn remove_alarm(&self, due: Instant) {
        let calls = &mut lock(&self.0).calls;
        if let Some(at) = calls.iter().position(|other| *other == due) {
            calls.swap_remove(at);
        }
    }

    /// Whether the harness or the program has closed it with RST.
    pub(in crate::backend) fn is_aborted(&self) -> bool {
        lock(&self.0).state == State::Aborted
    }

    /// Takes a due RST that turmoil does not send: the stream was aborted after its FIN. Returns whether there is one.
    pub(in crate::backend) fn take_due_reset(&self) -> bool {
        let mut inner = lock(&self.0);
        let due = inner.state == State::Aborted
            && inner.outgoing == Outgoing::FinSent
            && inner.peer_reset != PeerReset::Simulated;
        if due {
            inner.outgoing = Outgoing::ResetSent;
        }
        due
    }

    /// Whether a RST has arrived that turmoil did not deliver.
    pub(in crate::backend) fn is_reset(&self) -> bool {
        lock(&self.0).peer_reset == PeerReset::Simulated
    }

    /// Handles a RST that turmoil does not deliver.
    pub(in crate::backend) fn reset(&self) {
        let mut inner = lock(&self.0);
        inner.peer_reset = PeerReset::Simulated;
        inner.wake();
    }

    /// Handles a FIN that turmoil does not deliver.
    pub(in crate::backend) fn fin(&self) {
        let mut inner = lock(&self.0);
        inner.relay_fin = RelayFin::Arrived;
        inner.wake();
    }
}
