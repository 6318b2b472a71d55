//! A side: how its program stands, and what waits for its next calls.

use super::scenario::InjectedFault;

#[derive(Debug, Default)]
pub(super) struct Side {
    pub(super) program: Program,
    /// Whether the future has returned or panicked.
    pub(super) returned: bool,
    /// Number of I/O events, of all its connections.
    pub(super) events: usize,
    /// The connection of the last I/O event, if it was of one.
    pub(super) last: Option<usize>,
    /// Whether it has lost its power.
    pub(super) dark: bool,
    /// The fault of the next `connect`.
    pub(super) next_connect: Option<InjectedFault>,
    /// Whether the next `accept` fails.
    pub(super) next_accept_fails: bool,
    /// Whether the next future that can be cancelled is.
    pub(super) next_is_cancelled: bool,
}

/// How the program of a side stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Program {
    #[default]
    Running,
    /// A fault has ended it.
    EndedByFault,
    /// It was stopped, because it had too many I/O events.
    OverEventLimit,
}
