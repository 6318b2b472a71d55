//! The steps of a pair.

use super::super::end::{Answer, Command};
use super::super::setup::TransportFault;
use super::super::unit::Reach;
use echo_core::Deadline;
use echo_core::Role;

/// A step of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Step {
    Command(Role, Command),
    Write(Role, Reach, u16),
    Fin(Role),
    WriteFails(Role),
    Read(Role, Reach, u16),
    ReadFin(Role),
    ReadReset(Role),
    /// A write failed, and there is nothing more to read.
    GiveUp(Role),
    Quiet(Role),
    Expire(Role, Deadline),
    /// The user of the server answers.
    Answer(Answer),
    Fault(TransportFault),
}

impl Step {
    /// Returns the end whose state it may change.
    pub(super) fn touches(self) -> Option<Role> {
        match self {
            Self::Command(role, _) | Self::Write(role, ..) | Self::Fin(role) | Self::WriteFails(role) => Some(role),
            Self::Read(role, ..) | Self::ReadFin(role) | Self::ReadReset(role) | Self::GiveUp(role) => Some(role),
            Self::Quiet(role) | Self::Expire(role, _) => Some(role),
            Self::Answer(_) => Some(Role::Server),
            Self::Fault(
                TransportFault::Kill(role) | TransportFault::KillUnread(role) | TransportFault::HalfClose(role),
            ) => Some(role),
            Self::Fault(
                TransportFault::Cut
                | TransportFault::Reset(_)
                | TransportFault::FinForReset(_)
                | TransportFault::FinForTheRest(_),
            ) => None,
        }
    }

    /// Returns whether it needs no command, fault or deadline. A user who has accepted a request answers it.
    pub(super) fn is_ordinary(self) -> bool {
        match self {
            Self::Write(..) | Self::Fin(_) | Self::Read(..) | Self::ReadFin(_) | Self::ReadReset(_) => true,
            Self::WriteFails(_) | Self::GiveUp(_) | Self::Answer(_) => true,
            Self::Command(..) | Self::Quiet(_) | Self::Expire(..) | Self::Fault(_) => false,
        }
    }
}
