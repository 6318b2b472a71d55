//! Words: what ends say to each other, without bytes.

/// What an end says.
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
    /// Plain: an answer to a piece of a line.
    Text,
}

/// A CLOSE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Close {
    pub(super) count: u64,
    pub(super) code: u16,
    /// "I send FIN first."
    pub(super) first_fin: bool,
}

impl Close {
    /// Clause 6.1: the three codes of the usual order; all others are errors.
    pub(super) fn is_usual(self) -> bool {
        matches!(self.code, 1000 | 1001 | 1012)
    }
}

/// How much of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    /// Its beginning, which says nothing yet.
    Head,
    /// What follows a [`Part::Head`].
    Tail,
}
