//! The account: what became of every request (PROTOCOL.md, section 7).

use std::collections::BTreeSet;
use std::fmt;

/// A set of sequence numbers from 1 up, kept small: everything through the mark, and what lies beyond it.
///
/// In-order protocols never use the set beyond; one with unordered answers does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Watermark {
    through: u64,
    beyond: BTreeSet<u64>,
}

impl Watermark {
    /// Everything from 1 through `mark`.
    pub fn through(mark: u64) -> Self {
        Self { through: mark, beyond: BTreeSet::new() }
    }

    /// Adds `seq`; `false` if it was in already (0 always is).
    pub fn insert(&mut self, seq: u64) -> bool {
        if self.contains(seq) {
            return false;
        }
        if seq == self.through + 1 && self.beyond.is_empty() {
            self.through = seq;
            return true;
        }
        self.beyond.insert(seq);
        while self.beyond.remove(&(self.through + 1)) {
            self.through += 1;
        }
        true
    }

    /// Whether `seq` is in the set.
    pub fn contains(&self, seq: u64) -> bool {
        seq <= self.through || self.beyond.contains(&seq)
    }

    /// The highest number up to which none is missing.
    pub fn mark(&self) -> u64 {
        self.through
    }

    /// How many numbers are in the set.
    pub fn count(&self) -> u64 {
        self.through + self.beyond.len() as u64
    }

    /// How many numbers of the set are above `seq`.
    pub(crate) fn above(&self, seq: u64) -> u64 {
        self.through.saturating_sub(seq) + self.beyond.range(seq.saturating_add(1)..).count() as u64
    }
}

/// What became of one request. Exactly one of these holds for every request ever sent (clause 7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    /// The client holds its answer.
    Answered,
    /// It never ran: safe to send again.
    Refused,
    /// It may have run.
    Unknown,
}

/// What one side knows of the requests of a conversation.
///
/// The client counts what it asked and got; the server what it saw, accepted and got acknowledged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Account {
    /// The highest request made (client) or seen (server).
    pub asked: u64,
    /// The highest request of which at least one byte left. At a server: the same as `asked`.
    pub begun: u64,
    /// The highest request the server accepted: its own count at the server, told by its CLOSE at the client.
    pub accepted: Option<u64>,
    /// The answers the client holds: known at the client, acknowledged by its CLOSE at the server.
    pub answered: Watermark,
}

impl Account {
    /// What became of request `seq`, as far as this side knows.
    pub fn fate(&self, seq: u64) -> Fate {
        if self.answered.contains(seq) {
            Fate::Answered
        } else if seq > self.begun || self.accepted.is_some_and(|last| seq > last) {
            Fate::Refused
        } else {
            Fate::Unknown
        }
    }

    /// How many requests met which fate; the sum is `asked`.
    pub fn tally(&self) -> Tally {
        let reach = self.accepted.map_or(self.begun, |last| last.min(self.begun));
        let answered = self.answered.count();
        let refused = (self.asked - reach.min(self.asked)).saturating_sub(self.answered.above(reach));
        Tally { answered, refused, unknown: self.asked.saturating_sub(answered + refused) }
    }
}

/// An [`Account`] in three numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tally {
    /// Requests whose answer the client holds.
    pub answered: u64,
    /// Requests that never ran.
    pub refused: u64,
    /// Requests that may have run.
    pub unknown: u64,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} answered, {} refused, {} unknown", self.answered, self.refused, self.unknown)
    }
}
