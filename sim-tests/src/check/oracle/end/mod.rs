//! An end: a side, the program that reads and writes for it, and its socket.

mod program;
mod socket;

use super::event_counts::{EventCounts, Seen};
use super::message::{Close, Message, Part};
use super::mutation::Mutation;
use super::side::Side;
use crate::network::{StreamPacket, StreamSocket};
use crate::record::reported::Reported;
use crate::scenario::defaults;
use crate::scenario::network::Network;
use crate::scenario::plan::{Action, Plan, Point};
use crate::scenario::reading::Reading;
use crate::support::Millis;
use echo_core::Role;

/// The network and the event log, as an end uses them.
pub(super) trait Wire {
    /// Sends a packet. Returns its size in bytes.
    fn send(&mut self, from: Role, packet: StreamPacket<(Message, Part)>) -> usize;
    fn note_got(&mut self, side: Role, seen: Seen);
    /// Notes that the end acts on what it has read.
    fn note_handled(&mut self, side: Role, seen: Seen);
    fn note_over(&mut self, side: Role);
    /// Bytes of `side` that wait in its kernel, because the peer has not read them.
    fn waiting(&self, side: Role) -> usize;
    /// Whether a packet for `side` has arrived in part; it counts as unread.
    fn is_arriving(&self, side: Role) -> bool;
    /// Deletes what waits in the kernel of `side`, because the peer's RST has arrived.
    fn delete_waiting(&mut self, side: Role);
    fn log(&mut self) -> &mut EventCounts;
    fn now(&self) -> Millis;
}

#[derive(Debug)]
pub(super) struct End {
    pub(super) side: Side,
    socket: StreamSocket<(Message, Part)>,
    /// Items of the socket's input that the program has read and not acted on.
    ahead: usize,
    reads: Reads,
    pub(super) reading: Reading,
    /// Points at which the transport accepts no more, or at which the end does not act on its input.
    stops: Vec<Point>,
    is_held: bool,
    /// Whether the transport accepted nothing at the last write.
    blocked: bool,
    /// Whether the end has begun to end its conversation.
    ending: bool,
    /// Bytes that the transport has accepted.
    written: usize,
    looked: Look,
    /// Whether the first request or answer was sent.
    first_left: bool,
    /// The unsent part of the message at the front of the output: all of it, or all but its beginning.
    front: Part,
    program: Program,
    quiet: Option<Millis>,
}

/// The transport's state at the last look: bytes that the peer had read, and bytes that it had not.
#[derive(Clone, Copy, Debug, Default)]
struct Look {
    taken: usize,
    left: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Program {
    Running,
    /// It has returned, because its conversation is over.
    Returned,
    /// A step of its plan has ended it.
    Killed,
}

/// What one read returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reads {
    /// One message at most.
    OneByte,
    OnePacket,
    /// All that is there.
    All,
}

impl Reads {
    pub(super) fn of(network: &Network) -> Self {
        match (network.reads, network.batch) {
            (0, 0) => Self::OnePacket,
            (0, _) => Self::All,
            _ => Self::OneByte,
        }
    }
}

impl End {
    pub(super) fn new(side: Side, plan: &Plan, reads: Reads) -> Self {
        let stops = plan.points().filter(|point| point.is_of_one_side()).collect();
        Self {
            side,
            socket: StreamSocket::new(),
            ahead: 0,
            reads,
            reading: Reading::Always,
            stops,
            is_held: false,
            blocked: false,
            ending: false,
            written: 0,
            looked: Look::default(),
            first_left: false,
            front: Part::Whole,
            program: Program::Running,
            quiet: None,
        }
    }

    pub(super) fn runs(&self) -> bool {
        self.program == Program::Running
    }

    fn role(&self) -> Role {
        self.side.role
    }

    /// What the end reports when the run is over.
    pub(super) fn report(&self) -> Reported {
        match self.side.verdict {
            Some(verdict) if self.side.over => Reported::Outcome(verdict, self.side.account()),
            Some(_) | None if self.program == Program::Killed => Reported::Killed,
            Some(_) | None => Reported::Open,
        }
    }

    /// Clause 8.6: restarts the due waits if the peer has read enough since the last look.
    fn look(&mut self, wire: &mut impl Wire) {
        if !self.socket.is_open() {
            return;
        }
        let left = wire.waiting(self.role());
        let taken = self.written.saturating_sub(left);
        let enough = taken - self.looked.taken >= defaults::PROGRESS;
        let progress = enough && (left > 0 || self.looked.left > 0);
        self.looked = Look { taken, left };
        if progress && !self.side.is_bent(Mutation::NoProgress) {
            self.side.waits.begin_anew(self.side.now, left > 0);
        }
    }

    /// Handles what is due at `now`: deadlines, and the pause that ends a plain message.
    pub(super) fn pass_time(&mut self, now: Millis, wire: &mut impl Wire) {
        self.side.now = now;
        if self.side.waits.next().is_some_and(|due| due <= now) {
            self.look(wire);
        }
        if self.quiet.is_some_and(|quiet| quiet <= now) {
            self.quiet = None;
            self.side.fall_quiet();
        }
        while let Some(_deadline) = self.side.waits.pass(now).filter(|_| self.runs()) {
            self.side.follow_the_rules();
        }
    }

    /// Carries out a step of its plan. Returns `false` if the program no longer runs.
    pub(super) fn act(&mut self, action: Action, point: Point, wire: &mut impl Wire) -> bool {
        if !self.runs() {
            return false;
        }
        self.side.now = wire.now();
        match action {
            Action::Close => {
                let code = if self.role() == Role::Client { 1000 } else { 1001 };
                self.side.leave(code);
            }
            Action::HalfClose => self.shut_down(wire),
            Action::Drop | Action::Crash => self.close(wire),
            Action::DropUnread => self.reading = Reading::UntilInput,
            Action::Abort => self.reset(wire),
            Action::Vanish => self.socket.go_dark(),
            Action::Violate if self.socket.can_write() => {
                let close = Close { count: 999, code: 1000, first_fin: false };
                wire.send(self.role(), StreamPacket::Data(vec![(Message::Close(close), Part::Whole)]));
            }
            Action::Violate => (),
        }
        if point != Point::PeerNotReading {
            self.stops.retain(|stop| *stop != point);
        }
        self.is_held = false;
        if action.takes_away() && action != Action::DropUnread {
            self.program = Program::Killed;
        }
        true
    }
}
