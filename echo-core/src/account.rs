//! The account: what happened to each request (PROTOCOL.md, section 7).

use std::collections::BTreeSet;
use std::fmt;

/// A compact set of sequence numbers from 1: all numbers up to a mark, and single numbers above it.
///
/// Only a protocol with unordered answers stores numbers above the mark.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Watermark {
    through: u64,
    /// `None` if there are none.
    #[expect(clippy::box_collection, reason = "it is rare, and each connection has two sets")]
    beyond: Option<Box<BTreeSet<u64>>>,
}

impl Watermark {
    /// Returns the set of all numbers from 1 through `mark`.
    pub fn through(mark: u64) -> Self {
        Self { through: mark, beyond: None }
    }

    /// Adds `seq`. Returns `false` if the set already contains it (0 always is in the set).
    #[inline]
    pub fn insert(&mut self, seq: u64) -> bool {
        if self.contains(seq) {
            return false;
        }
        if seq == self.through + 1 && self.beyond.is_none() {
            self.through = seq;
            return true;
        }
        let beyond = self.beyond.get_or_insert_default();
        beyond.insert(seq);
        while beyond.remove(&(self.through + 1)) {
            self.through += 1;
        }
        if beyond.is_empty() {
            self.beyond = None;
        }
        true
    }

    /// Returns the mark, if no element is above it.
    #[inline]
    pub(crate) fn in_order(&self) -> Option<u64> {
        self.beyond.is_none().then_some(self.through)
    }

    /// Adds the next `count` numbers above the mark. There must be none above it.
    #[inline]
    pub(crate) fn extend(&mut self, count: u64) {
        debug_assert!(self.beyond.is_none(), "the next number is above the mark");
        self.through += count;
    }

    /// Whether `seq` is in the set.
    #[inline]
    pub fn contains(&self, seq: u64) -> bool {
        seq <= self.through || self.beyond.as_ref().is_some_and(|beyond| beyond.contains(&seq))
    }

    /// Returns the highest number with no gap below it.
    #[inline]
    pub fn mark(&self) -> u64 {
        self.through
    }

    /// Returns the number of elements.
    pub fn count(&self) -> u64 {
        self.through + self.beyond.as_ref().map_or(0, |beyond| beyond.len() as u64)
    }

    /// Returns how many elements are above `seq`.
    pub(crate) fn above(&self, seq: u64) -> u64 {
        let beyond = self.beyond.iter().flat_map(|beyond| beyond.range(seq.saturating_add(1)..)).count();
        self.through.saturating_sub(seq) + beyond as u64
    }
}

/// What happened to one request. Each request has exactly one fate (clause 7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    /// The client has received the answer.
    Answered,
    /// The server did not run it: it is safe to send again.
    Refused,
    /// The server may have run it.
    Unknown,
}

/// What one side knows about the requests of a conversation.
///
/// The client counts requests it made and answers it received. The server counts requests it received and accepted, and
/// answers that the client acknowledged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Account {
    /// The highest request made (client) or received (server).
    pub asked: u64,
    /// The highest request that has sent at least one byte. At a server: the same as `asked`.
    pub begun: u64,
    /// The highest request the server accepted. The server counts it; the client learns it from the server's CLOSE.
    pub accepted: Option<u64>,
    /// The answers the client has received. The client counts them; the server learns them from the client's CLOSE.
    pub answered: Watermark,
}

impl Account {
    /// Returns what happened to request `seq`, as far as this side knows.
    pub fn fate(&self, seq: u64) -> Fate {
        if self.answered.contains(seq) {
            Fate::Answered
        } else if seq > self.begun || self.accepted.is_some_and(|last| seq > last) {
            Fate::Refused
        } else {
            Fate::Unknown
        }
    }

    /// Counts the requests of each fate. The sum is `asked`.
    pub fn tally(&self) -> Tally {
        let reach = self.accepted.map_or(self.begun, |last| last.min(self.begun));
        let answered = self.answered.count();
        let refused = (self.asked - reach.min(self.asked)).saturating_sub(self.answered.above(reach));
        Tally { answered, refused, unknown: self.asked.saturating_sub(answered + refused) }
    }
}

/// The number of requests of each [`Fate`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Tally {
    /// Requests whose answer the client has received. A failure, such as 1011 or 1013, is an answer.
    pub answered: u64,
    /// Requests that the server did not run.
    pub refused: u64,
    /// Requests that the server may have run.
    pub unknown: u64,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} answered, {} refused, {} unknown", self.answered, self.refused, self.unknown)
    }
}
