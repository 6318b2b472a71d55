//! What can happen to a pair, one thing at a time.

use super::super::unit::{Piece, Reach};
use super::{Fault, Pair, Wish};
use echo_core::Deadline;
use echo_core::Role::{self, Client, Server};

/// One thing that can happen to a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Step {
    Wish(Role, Wish),
    Write(Role, Reach, usize),
    Fin(Role),
    WriteFails(Role),
    Read(Role, Reach, usize),
    ReadFin(Role),
    ReadReset(Role),
    /// The transport failed to write, and there is nothing more to read.
    GiveUp(Role),
    Quiet(Role),
    Expire(Role, Deadline),
    Fault(Fault),
}

impl Step {
    /// The ends whose state it may change.
    pub(super) fn touches(self) -> &'static [Role] {
        let role = match self {
            Self::Wish(role, _) | Self::Write(role, ..) | Self::Fin(role) | Self::WriteFails(role) => role,
            Self::Read(role, ..) | Self::ReadFin(role) | Self::ReadReset(role) | Self::GiveUp(role) => role,
            Self::Quiet(role) | Self::Expire(role, _) => role,
            Self::Fault(Fault::Kill(role) | Fault::KillUnread(role) | Fault::HalfClose(role)) => role,
            Self::Fault(Fault::Cut | Fault::Reset(_) | Fault::FinForReset(_) | Fault::FinForTheRest(_)) => return &[],
        };
        match role {
            Client => &[Client],
            Server => &[Server],
        }
    }

    /// Whether it happens by itself: nobody wants it, nothing goes wrong, and nobody's patience ends.
    pub(super) fn is_ordinary(self) -> bool {
        match self {
            Self::Write(..) | Self::Fin(_) | Self::Read(..) | Self::ReadFin(_) | Self::ReadReset(_) => true,
            Self::WriteFails(_) | Self::GiveUp(_) => true,
            Self::Wish(..) | Self::Quiet(_) | Self::Expire(..) | Self::Fault(_) => false,
        }
    }
}

impl Pair {
    /// A step in words.
    pub(super) fn words(&self, step: Step) -> String {
        let units = |pieces: &mut dyn Iterator<Item = &Piece>| {
            let part = |piece: &Piece| match (piece.begins, piece.ends) {
                (true, true) => piece.unit.to_string(),
                (true, false) => format!("the beginning of {}", piece.unit),
                (false, true) => format!("the rest of {}", piece.unit),
                (false, false) => format!("more of {}", piece.unit),
            };
            pieces.map(part).collect::<Vec<_>>().join(", ")
        };
        match step {
            Step::Wish(role, wish) => format!("{}: {}", role.name(), wish.name()),
            Step::Write(role, _, count) => {
                format!("{} writes {}", role.name(), units(&mut self.end(role).outgoing.iter().take(count)))
            }
            Step::Fin(role) => format!("{} sends FIN", role.name()),
            Step::WriteFails(role) => format!("{}: a write fails", role.name()),
            Step::Read(role, _, count) => {
                let pieces = &self.inboxes[role as usize].pieces;
                format!("{} reads {}", role.name(), units(&mut pieces.iter().take(count)))
            }
            Step::ReadFin(role) => format!("{} reads FIN", role.name()),
            Step::ReadReset(role) => format!("{} reads RST", role.name()),
            Step::GiveUp(role) => format!("{}: nothing to read behind the failed write", role.name()),
            Step::Quiet(role) => format!("{}: the input falls quiet", role.name()),
            Step::Expire(role, deadline) => format!("{}: deadline {deadline}", role.name()),
            Step::Fault(fault) => fault.to_string(),
        }
    }
}
