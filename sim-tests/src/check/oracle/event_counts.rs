//! What was sent and received so far, as needed to decide which points are reached.

use super::message::Message;
use crate::scenario::network::HeldContent;
use crate::scenario::plan::Point;
use crate::scenario::scheduler::Points;
use echo_core::Role;

/// Something that was sent or received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Other,
    Request2,
    Answer1,
    Answer2,
    GoAway,
    Close,
    Fin,
    Reset,
}

impl Seen {
    pub(super) fn of(message: Message) -> Self {
        match message {
            Message::Request(2) => Self::Request2,
            Message::Answer(1) => Self::Answer1,
            Message::Answer(2) => Self::Answer2,
            Message::GoAway { .. } => Self::GoAway,
            Message::Close(_) => Self::Close,
            Message::Preface | Message::Request(_) | Message::Answer(_) | Message::Text => Self::Other,
        }
    }

    pub(super) fn carries(self, mark: HeldContent) -> bool {
        match mark {
            HeldContent::GoAway => self == Self::GoAway,
            HeldContent::Close => self == Self::Close,
            HeldContent::Fin => self == Self::Fin,
        }
    }

    fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// Sets of [`Seen`] bits and of stalled points, by [`Role`].
#[derive(Debug, Default)]
pub(super) struct EventCounts {
    sent: [u16; 2],
    got: [u16; 2],
    stalled: [u16; 2],
}

impl EventCounts {
    pub(super) fn note_sent(&mut self, side: Role, seen: Seen) {
        self.sent[side as usize] |= seen.bit();
    }

    pub(super) fn note_got(&mut self, side: Role, seen: Seen) {
        self.got[side as usize] |= seen.bit();
    }

    pub(super) fn note_stalled(&mut self, side: Role, point: Point) {
        self.stalled[side as usize] |= 1 << point as u16;
    }

    pub(super) fn has_sent(&self, side: Role, seen: Seen) -> bool {
        self.sent[side as usize] & seen.bit() != 0
    }

    fn has_got(&self, side: Role, seen: Seen) -> bool {
        self.got[side as usize] & seen.bit() != 0
    }

    fn is_under_way(&self, from: Role, seen: Seen) -> bool {
        self.has_sent(from, seen) && !self.has_got(from.peer(), seen)
    }
}

impl Points for EventCounts {
    /// Implements the definitions of [`Point`].
    fn is_at(&self, point: Point, side: Role) -> bool {
        let sent = |seen| self.has_sent(Role::Client, seen) || self.has_sent(Role::Server, seen);
        match point {
            Point::Connecting => self.sent == [0, 0],
            Point::InPreface | Point::InsideFrame | Point::PeerNotReading => {
                self.stalled[side as usize] & (1 << point as u16) != 0
            }
            Point::Idle => self.has_got(Role::Client, Seen::Answer1),
            Point::RequestInFlight => self.is_under_way(Role::Client, Seen::Request2),
            Point::AnswerInFlight => self.is_under_way(Role::Server, Seen::Answer2),
            Point::Draining => sent(Seen::GoAway),
            Point::CloseInFlight => {
                self.is_under_way(Role::Client, Seen::Close) || self.is_under_way(Role::Server, Seen::Close)
            }
            Point::Finishing => sent(Seen::Fin),
            Point::AfterGoAway => self.has_got(side, Seen::GoAway),
            Point::AfterClose => self.has_got(side, Seen::Close),
            Point::AfterFin => self.has_got(side, Seen::Fin),
        }
    }
}
