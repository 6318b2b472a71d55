//! The messages of both ends, without their bytes.

/// A message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Message {
    Preface,
    Request(u64),
    Answer(u64),
    GoAway {
        last: u64,
        code: u16,
    },
    Close(Close),
    /// Plain: the answer to a piece of a line.
    Text,
}

/// The content of a CLOSE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Close {
    pub(super) count: u64,
    pub(super) code: u16,
    /// The FIN-first flag: its sender sends FIN first.
    pub(super) first_fin: bool,
}

impl Close {
    /// Returns whether it has one of the three regular codes. All others are errors (clause 6.1).
    pub(super) fn is_usual(self) -> bool {
        matches!(self.code, 1000 | 1001 | 1012)
    }
}

/// A part of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    /// The beginning, which cannot be decoded alone.
    Head,
    /// The rest behind a [`Part::Head`].
    Tail,
}
