//! The record of one run of a trial.

use super::scenario::{InjectedFault, TrialScenario};
use crate::network::PacketKind;
use crate::support::Millis;
use crate::support::difference::first_of;
use crate::support::fnv;
use echo_core::Role;
use std::fmt::{self, Debug, Write};
use std::io;

/// One run: the result of both sides, and the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrialRun<C, S> {
    /// The scenario of the run.
    pub scenario: TrialScenario,
    /// How the client's future ended.
    pub client: TrialEnding<C>,
    /// How the server's future ended.
    pub server: TrialEnding<S>,
    /// All entries, in order.
    pub log: Vec<TrialEntry>,
    /// Virtual time in milliseconds when nothing was left to do; `None` if the budget was used up before.
    pub over_at: Option<Millis>,
    /// The sides that hold TIME_WAIT: they sent FIN before they received one, and no RST ended the connection.
    pub time_wait: Vec<Role>,
    /// The sides whose future has ended, and whose stream was open until the end.
    pub leaking: Vec<Role>,
    /// The sides whose future has returned, and that had tasks until the end: they do not end by themselves.
    pub tasks_left: Vec<Role>,
}

/// How a side's future ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrialEnding<T> {
    /// It returned this value.
    Returned(T),
    /// A fault ended it, so there is no result.
    Killed,
    /// It panicked with this message.
    Panicked(String),
    /// It is the server of a trial of a network, and had not returned. It had no connection left.
    Serving,
    /// It had not returned when the time or the number of I/O events was used up.
    NeverEnded,
}

impl<T> TrialEnding<T> {
    /// Returns the value that the future returned, if it did.
    pub fn returned(&self) -> Option<&T> {
        match self {
            Self::Returned(outcome) => Some(outcome),
            Self::Killed | Self::Panicked(_) | Self::Serving | Self::NeverEnded => None,
        }
    }
}

impl<T: Debug> fmt::Display for TrialEnding<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Returned(outcome) => write!(f, "{outcome:?}"),
            Self::Killed => f.write_str("killed"),
            Self::Panicked(message) => write!(f, "panicked: {message}"),
            Self::Serving => f.write_str("serving"),
            Self::NeverEnded => f.write_str("never ended"),
        }
    }
}

/// One entry of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrialEntry {
    /// Virtual time in milliseconds.
    pub at: Millis,
    /// The side that the entry is about.
    pub side: Role,
    /// The number of the connection that the entry is about, counted from 1 in the order in which they were opened; `None`
    /// if it is about the side.
    pub connection: Option<usize>,
    /// What happened.
    pub what: TrialEvent,
    /// What a read or a write is called ([`Trial::label`](super::Trial::label)), in a run that was made for its
    /// ladder.
    pub label: Option<String>,
}

/// One event of a side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrialEvent {
    /// I/O event: a read returned this many bytes.
    Read(usize),
    /// I/O event: a read returned the end.
    ReadEnd,
    /// I/O event: a read failed.
    ReadFailed(io::ErrorKind),
    /// I/O event: a write accepted this many bytes.
    Wrote(usize),
    /// I/O event: a write failed.
    WriteFailed(io::ErrorKind),
    /// I/O event: the program shut down its sending direction.
    ShutDown,
    /// I/O event: a flush failed, because of a fault.
    FlushFailed,
    /// I/O event: a shutdown failed, because of a fault.
    ShutdownFailed,
    /// I/O event: a future was cancelled, because of a fault.
    Cancelled,
    /// I/O event, in a network: the program has connected.
    Connected,
    /// I/O event, in a network: the program could not connect.
    ConnectFailed(io::ErrorKind),
    /// I/O event, in a network: the program has accepted a connection.
    Accepted,
    /// I/O event, in a network: an accept failed, because of a fault.
    AcceptFailed,
    /// I/O event: the program dropped its stream.
    Dropped,
    /// I/O event: the future returned this.
    Returned(String),
    /// I/O event: the future panicked with this message.
    Panicked(String),
    /// A task that the side has spawned panicked, or a destructor in it, with this message.
    TaskPanicked(String),
    /// The program noted this ([`note`](super::note)).
    Noted(String),
    /// The side was stopped, because it had too many I/O events.
    TooManyEvents,
    /// The side sent FIN, because of its program, its kernel or a fault.
    SentFin,
    /// The side sent RST, because of its program, its kernel or a fault.
    SentReset,
    /// A FIN arrived that a relay had made.
    RelayedFin,
    /// A RST arrived that a relay had made.
    RelayedReset,
    /// In a run that was made for its ladder: the socket has come to this state. `FIN-WAIT` is either of the two, because
    /// acknowledgments take no time here.
    Socket(&'static str),
    /// In a run that was made for its ladder: the program has sent this to `tracing`.
    Traced(String),
    /// A packet of the side takes so much longer, in milliseconds ([`Trial::packets`](super::Trial::packets)).
    PacketDelayed(Millis),
    /// A packet of the side is lost for good ([`Trial::packets`](super::Trial::packets)).
    PacketLost,
    /// The program started again after a crash.
    StartedAgain,
    /// A fault was injected.
    Injected(InjectedFault),
    /// The network was cut.
    Cut,
}

impl TrialEvent {
    /// Whether it is only there in a run that was made for its ladder.
    pub(super) fn is_detail(&self) -> bool {
        matches!(self, Self::Socket(_) | Self::Traced(_))
    }

    /// Returns whether it counts as an I/O event of its side.
    pub fn is_event(&self) -> bool {
        match self {
            Self::Read(_) | Self::ReadEnd | Self::ReadFailed(_) | Self::Wrote(_) | Self::WriteFailed(_) => true,
            Self::Connected | Self::ConnectFailed(_) | Self::Accepted | Self::AcceptFailed => true,
            Self::FlushFailed | Self::ShutdownFailed | Self::Cancelled => true,
            Self::ShutDown | Self::Dropped | Self::Returned(_) | Self::Panicked(_) => true,
            Self::TaskPanicked(_) | Self::Noted(_) | Self::Traced(_) | Self::Socket(_) => false,
            Self::TooManyEvents | Self::SentFin | Self::SentReset | Self::RelayedFin | Self::RelayedReset => false,
            Self::Injected(_) | Self::Cut | Self::StartedAgain => false,
            Self::PacketDelayed(_) | Self::PacketLost => false,
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
            Self::FlushFailed => f.write_str("flush failed"),
            Self::ShutdownFailed => f.write_str("shutdown failed"),
            Self::Cancelled => f.write_str("cancelled a future"),
            Self::Connected => f.write_str("connected"),
            Self::ConnectFailed(kind) => write!(f, "connect failed: {kind}"),
            Self::Accepted => f.write_str("accepted"),
            Self::AcceptFailed => f.write_str("accept failed: too many open files"),
            Self::Socket(state) => f.write_str(state),
            Self::Traced(line) => f.write_str(line),
            Self::PacketDelayed(late) => write!(f, "a packet takes {late} ms longer"),
            Self::PacketLost => f.write_str("a packet is lost"),
            Self::StartedAgain => f.write_str("started again"),
            Self::ShutDown => f.write_str("shut down"),
            Self::Dropped => f.write_str("dropped its stream"),
            Self::Returned(outcome) => write!(f, "returned {outcome}"),
            Self::Panicked(message) => write!(f, "panicked: {message}"),
            Self::TaskPanicked(message) => write!(f, "a task panicked: {message}"),
            Self::Noted(text) => write!(f, "noted {text}"),
            Self::TooManyEvents => f.write_str("too many I/O events"),
            Self::SentFin => f.write_str("FIN"),
            Self::SentReset => f.write_str("RST"),
            Self::RelayedFin => f.write_str("FIN of a relay"),
            Self::RelayedReset => f.write_str("RST of a relay"),
            Self::Injected(fault) => write!(f, "injected {}", fault.id()),
            Self::Cut => f.write_str("the network is cut"),
        }
    }
}

/// Writes the entry without its time. The first connection has no number.
impl fmt::Display for TrialEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.connection {
            None | Some(1) => write!(f, "{} {}", self.side.name(), self.what),
            Some(number) => write!(f, "{} {}, connection {number}", self.side.name(), self.what),
        }
    }
}

impl<C, S> TrialRun<C, S> {
    /// Returns the events of `side`, in order.
    pub fn of(&self, side: Role) -> impl Iterator<Item = &TrialEvent> {
        self.log.iter().filter(move |entry| entry.side == side).map(|entry| &entry.what)
    }

    /// Returns the number of I/O events of `side`.
    pub fn events(&self, side: Role) -> usize {
        self.of(side).filter(|what| what.is_event()).count()
    }

    /// Returns what `side` has noted ([`note`](super::note)), in order.
    pub fn notes(&self, side: Role) -> impl Iterator<Item = &str> {
        self.of(side).filter_map(|what| if let TrialEvent::Noted(text) = what { Some(text.as_str()) } else { None })
    }

    /// Returns how many bytes `side` has read.
    pub fn bytes_read(&self, side: Role) -> usize {
        self.of(side).map(|what| if let TrialEvent::Read(count) = what { *count } else { 0 }).sum()
    }

    /// Returns how many bytes `side` has written.
    pub fn bytes_written(&self, side: Role) -> usize {
        self.of(side).map(|what| if let TrialEvent::Wrote(count) = what { *count } else { 0 }).sum()
    }

    /// Returns the number of I/O events of its side before the fault was injected; `None` if it never was.
    pub fn injected_at(&self) -> Option<usize> {
        let side = self.scenario.injection?.side;
        let index = self.of(side).position(|what| matches!(what, TrialEvent::Injected(_)))?;
        Some(self.of(side).take(index).filter(|what| what.is_event()).count())
    }

    /// Whether the fault was never injected.
    pub(super) fn is_unreached(&self) -> bool {
        self.scenario.injection.is_some() && self.injected_at().is_none()
    }

    /// Returns the log as text, one line for each entry, with times and without the scenario. Two runs of one scenario
    /// give the same text, unless the user's code is not deterministic.
    pub fn timeline(&self) -> String {
        let mut text = String::new();
        for entry in self.log.iter().filter(|entry| !entry.what.is_detail()) {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{} {entry}", entry.at);
        }
        let _ = writeln!(text, "{}", if self.over_at.is_some() { "over" } else { "NOT OVER" });
        text
    }

    /// Returns a hash of [`TrialRun::timeline`] that is the same in every process and build.
    pub fn hash(&self) -> u64 {
        fnv(self.timeline().as_bytes())
    }

    /// Hashes the order of events, without times.
    pub(super) fn order(&self) -> u64 {
        let line = |entry: &TrialEntry| format!("{entry}\n");
        let log = self.log.iter().filter(|entry| !entry.what.is_detail());
        fnv(log.map(line).collect::<String>().as_bytes())
    }
}

/// Returns the first line in which two texts differ: its number, counted from 1, and both lines. If a text has no such
/// line, `nothing more` is returned for it.
pub fn first_difference<'a>(one: &'a str, other: &'a str) -> Option<(usize, &'a str, &'a str)> {
    let (number, left, right) = first_of(one.lines(), other.lines())?;
    Some((number, left.unwrap_or("nothing more"), right.unwrap_or("nothing more")))
}
