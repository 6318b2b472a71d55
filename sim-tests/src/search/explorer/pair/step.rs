//! What can happen to a pair, one thing at a time.

use super::super::end::Command;
use super::super::setup::TransportFault;
use super::super::unit::Reach;
use echo_core::Deadline;
use echo_core::Role::{self, Client, Server};

/// One thing that can happen to a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Step {
    Wish(Role, Command),
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
    Fault(TransportFault),
}

impl Step {
    /// The ends whose state it may change.
    pub(super) fn touches(self) -> &'static [Role] {
        let role = match self {
            Self::Wish(role, _) | Self::Write(role, ..) | Self::Fin(role) | Self::WriteFails(role) => role,
            Self::Read(role, ..) | Self::ReadFin(role) | Self::ReadReset(role) | Self::GiveUp(role) => role,
            Self::Quiet(role) | Self::Expire(role, _) => role,
            Self::Fault(
                TransportFault::Kill(role) | TransportFault::KillUnread(role) | TransportFault::HalfClose(role),
            ) => role,
            Self::Fault(
                TransportFault::Cut
                | TransportFault::Reset(_)
                | TransportFault::FinForReset(_)
                | TransportFault::FinForTheRest(_),
            ) => return &[],
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
