//! What happened in one run.

use super::scenario::{InjectedFault, TrialScenario};
use crate::network::PacketKind;
use crate::support::Millis;
use crate::support::difference::first_of;
use crate::support::fnv;
use echo_core::Role;
use std::fmt::{self, Debug, Write};
use std::io;

/// One run: what both sides returned, and everything that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrialRun<C, S> {
    /// What was run.
    pub scenario: TrialScenario,
    /// How the client's future came out of it.
    pub client: TrialEnding<C>,
    /// How the server's future came out of it.
    pub server: TrialEnding<S>,
    /// Everything, in order.
    pub log: Vec<TrialEntry>,
    /// When nothing was left to happen; `None` if the budget was used up before.
    pub over_at: Option<Millis>,
    /// The sides that hold TIME_WAIT: those that sent FIN before they had the other's, if no RST ended it.
    pub time_wait: Vec<Role>,
    /// The sides whose future returned and left the stream open to the end.
    pub leaking: Vec<Role>,
}

/// How a side's future came out of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrialEnding<T> {
    /// It returned this.
    Returned(T),
    /// A fault took it away, so it says nothing.
    TakenAway,
    /// It panicked, with this message.
    Panicked(String),
    /// It had not returned when the time, or the number of I/O events, was used up.
    NeverEnded,
}

impl<T> TrialEnding<T> {
    /// What it returned, if it did.
    pub fn returned(&self) -> Option<&T> {
        match self {
            Self::Returned(outcome) => Some(outcome),
            Self::TakenAway | Self::Panicked(_) | Self::NeverEnded => None,
        }
    }
}

impl<T: Debug> fmt::Display for TrialEnding<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Returned(outcome) => write!(f, "{outcome:?}"),
            Self::TakenAway => f.write_str("taken away"),
            Self::Panicked(message) => write!(f, "panicked: {message}"),
            Self::NeverEnded => f.write_str("never ended"),
        }
    }
}

/// One line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrialEntry {
    /// When, in virtual milliseconds.
    pub at: Millis,
    /// Whom it is about.
    pub side: Role,
    /// What.
    pub what: TrialEvent,
}

/// What a side did, or what befell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrialEvent {
    /// I/O event: a read gave so many bytes.
    Read(usize),
    /// I/O event: a read gave the end.
    ReadEnd,
    /// I/O event: a read failed.
    ReadFailed(io::ErrorKind),
    /// I/O event: a write took so many bytes.
    Wrote(usize),
    /// I/O event: a write failed.
    WriteFailed(io::ErrorKind),
    /// I/O event: it shut its direction down.
    ShutDown,
    /// I/O event: it dropped its stream.
    Dropped,
    /// I/O event: its future returned this.
    Returned(String),
    /// I/O event: its future panicked.
    Panicked(String),
    /// It has had more I/O events than any run may have, and was stopped.
    RanAway,
    /// A FIN left, on whosever account.
    SentFin,
    /// A RST left.
    SentReset,
    /// A FIN arrived that a relay has made.
    RelayedFin,
    /// A RST arrived that a relay has made.
    RelayedReset,
    /// A fault struck.
    Struck(InjectedFault),
    /// The network was cut.
    Cut,
}

impl TrialEvent {
    /// Whether it counts as an I/O event of its side.
    pub fn is_event(&self) -> bool {
        match self {
            Self::Read(_) | Self::ReadEnd | Self::ReadFailed(_) | Self::Wrote(_) | Self::WriteFailed(_) => true,
            Self::ShutDown | Self::Dropped | Self::Returned(_) | Self::Panicked(_) => true,
            Self::RanAway | Self::SentFin | Self::SentReset | Self::RelayedFin | Self::RelayedReset => false,
            Self::Struck(_) | Self::Cut => false,
        }
    }

    pub(super) fn sent(kind: PacketKind) -> Option<Self> {
        match kind {
            PacketKind::Data => None,
            PacketKind::Fin => Some(Self::SentFin),
            PacketKind::Reset => Some(Self::SentReset),
        }
    }

    pub(super) fn relayed(kind: PacketKind) -> Option<Self> {
        match kind {
            PacketKind::Data => None,
            PacketKind::Fin => Some(Self::RelayedFin),
            PacketKind::Reset => Some(Self::RelayedReset),
        }
    }
}

impl fmt::Display for TrialEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(count) => write!(f, "read {count}"),
            Self::ReadEnd => f.write_str("read the end"),
            Self::ReadFailed(kind) => write!(f, "read failed: {kind}"),
            Self::Wrote(count) => write!(f, "wrote {count}"),
            Self::WriteFailed(kind) => write!(f, "write failed: {kind}"),
            Self::ShutDown => f.write_str("shut down"),
            Self::Dropped => f.write_str("dropped its stream"),
            Self::Returned(outcome) => write!(f, "returned {outcome}"),
            Self::Panicked(message) => write!(f, "panicked: {message}"),
            Self::RanAway => f.write_str("too many I/O events"),
            Self::SentFin => f.write_str("FIN"),
            Self::SentReset => f.write_str("RST"),
            Self::RelayedFin => f.write_str("FIN of a relay"),
            Self::RelayedReset => f.write_str("RST of a relay"),
            Self::Struck(fault) => write!(f, "struck by {}", fault.id()),
            Self::Cut => f.write_str("the network is cut"),
        }
    }
}

impl<C, S> TrialRun<C, S> {
    /// What is about `side`, in order.
    pub fn of(&self, side: Role) -> impl Iterator<Item = &TrialEvent> {
        self.log.iter().filter(move |entry| entry.side == side).map(|entry| &entry.what)
    }

    /// How many I/O events `side` had.
    pub fn events(&self, side: Role) -> usize {
        self.of(side).filter(|what| what.is_event()).count()
    }

    /// How many bytes `side` has read.
    pub fn bytes_read(&self, side: Role) -> usize {
        self.of(side).map(|what| if let TrialEvent::Read(count) = what { *count } else { 0 }).sum()
    }

    /// How many bytes of `side` its stream has taken.
    pub fn bytes_written(&self, side: Role) -> usize {
        self.of(side).map(|what| if let TrialEvent::Wrote(count) = what { *count } else { 0 }).sum()
    }

    /// After how many I/O events of its side the fault struck; `None` if it never did.
    pub fn struck_at(&self) -> Option<usize> {
        let side = self.scenario.strike?.side;
        let index = self.of(side).position(|what| matches!(what, TrialEvent::Struck(_)))?;
        Some(self.of(side).take(index).filter(|what| what.is_event()).count())
    }

    /// What happened, one line an entry, with times and without the scenario: two runs of one scenario give the
    /// same text, unless the user's code is not deterministic.
    pub fn timeline(&self) -> String {
        let mut text = String::new();
        for entry in &self.log {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{} {} {}", entry.at, entry.side.name(), entry.what);
        }
        let _ = writeln!(text, "{}", if self.over_at.is_some() { "over" } else { "NOT OVER" });
        text
    }

    /// The hash of [`TrialRun::timeline`], the same in every process and build.
    pub fn hash(&self) -> u64 {
        fnv(self.timeline().as_bytes())
    }

    /// The hash of what happened in its order, without times.
    pub(super) fn order(&self) -> u64 {
        let line = |entry: &TrialEntry| format!("{} {}\n", entry.side.name(), entry.what);
        fnv(self.log.iter().map(line).collect::<String>().as_bytes())
    }
}

/// The first line in which two texts differ: its number, counted from 1, and both lines; `nothing more` stands for a
/// line that one of them lacks.
pub fn first_difference<'a>(one: &'a str, other: &'a str) -> Option<(usize, &'a str, &'a str)> {
    let (number, left, right) = first_of(one.lines(), other.lines())?;
    Some((number, left.unwrap_or("nothing more"), right.unwrap_or("nothing more")))
}
