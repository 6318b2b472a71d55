//! Whether a program reads from its socket.

/// Whether a program reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    Always,
    /// It closes its socket as soon as there is input, and leaves the input unread.
    UntilInput,
    Never,
}
