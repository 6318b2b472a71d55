//! Records: what happened when a backend ran a scenario.

pub mod baseline;
mod canonical_trace;
pub(crate) mod event_log;
pub mod ladder;
pub mod packet_ladder;
#[cfg(feature = "packet")]
pub mod pcapng;
pub(crate) mod reported;
pub(crate) mod segments;
pub(crate) mod wire_decoder;

pub use canonical_trace::canonical_trace;
pub use segments::is_again;

use crate::scenario::Backend;
use crate::scenario::Scenario;
use crate::scenario::plan::Action;
use crate::support::{Millis, fnv};
use crate::tcp::TimedEvent;
use echo_core::{Outcome, Role};
use event_log::{LogEntry, LogEvent, Unit};
use std::fmt::Write;

/// What happened in a run. The records of two backends for one scenario can be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Record {
    /// The scenario that was run.
    pub scenario: Scenario,
    /// The backend.
    pub backend: Backend,
    /// All events, in order.
    pub entries: Vec<LogEntry>,
    /// The time at which nothing was left to do; `None` if the budget was used up before.
    pub over_at: Option<Millis>,
    /// The virtual time that the run may take.
    pub budget: Millis,
    /// Parts of the scenario whose point was never reached.
    pub unreached: Vec<String>,
    /// All segments and changes of TCP states, in order. Empty on a backend without packets.
    pub packets: Vec<TimedEvent>,
}

/// How one end ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Ending {
    /// It reported an outcome.
    Outcome(Outcome),
    /// Its plan killed it, so it reports nothing.
    Killed(Action),
    /// It never ended. This is always a failure.
    Open,
}

impl Ending {
    /// Returns [`echo_core::End::name`], "killed" or "open".
    pub fn name(&self) -> &'static str {
        match self {
            Self::Outcome(outcome) => outcome.end.name(),
            Self::Killed(_) => "killed",
            Self::Open => "open",
        }
    }
}

impl Record {
    /// Returns how `side` ended.
    pub fn ending(&self, side: Role) -> Ending {
        ending(&self.entries, side)
    }

    /// Returns the events of `side`, in order.
    pub fn of(&self, side: Role) -> impl Iterator<Item = &LogEvent> {
        self.entries.iter().filter(move |entry| entry.side == side).map(|entry| &entry.what)
    }

    /// Returns what `side` sent, in order.
    pub fn sent(&self, side: Role) -> impl Iterator<Item = &Unit> {
        self.of(side).filter_map(|what| if let LogEvent::Sent(unit) = what { Some(unit) } else { None })
    }

    /// Returns what `side` received, in order.
    pub fn got(&self, side: Role) -> impl Iterator<Item = &Unit> {
        self.of(side).filter_map(|what| if let LogEvent::Got(unit) = what { Some(unit) } else { None })
    }

    /// Returns the number of requests that the server is known to have accepted: it logged so, or it answered.
    pub fn accepted(&self) -> u64 {
        let seen = |what: &LogEvent| match what {
            LogEvent::Accepted(seq) | LogEvent::Sent(Unit::Answer(seq)) => Some(*seq),
            LogEvent::Sent(_) | LogEvent::Got(_) | LogEvent::Did(_) | LogEvent::Handed(_) | LogEvent::Ended(_) => None,
            LogEvent::DroppedUnread | LogEvent::Stalled(_) | LogEvent::Relayed(_) | LogEvent::Held | LogEvent::Cut => {
                None
            }
        };
        self.of(Role::Server).filter_map(seen).max().unwrap_or_default()
    }

    /// Returns the numbers of the answers that the client's user got, in order.
    pub fn handed(&self) -> Vec<u64> {
        let seq = |what: &LogEvent| if let LogEvent::Handed(seq) = what { Some(*seq) } else { None };
        self.of(Role::Client).filter_map(seq).collect()
    }

    /// Returns the record as text, one entry a line, for comparisons between runs, builds and processes. Only packets
    /// have times.
    pub fn trace(&self) -> String {
        let mut text = format!("{} on {}\n", self.scenario, self.backend.id());
        for entry in &self.entries {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{} {}", entry.side.name(), entry.what);
        }
        for moment in &self.packets {
            let _ = writeln!(text, "{} {}", moment.at, moment.event);
        }
        for left in &self.unreached {
            let _ = writeln!(text, "never reached: {left}");
        }
        let _ = writeln!(text, "{}", if self.over_at.is_some() { "over" } else { "NOT OVER" });
        text
    }

    /// Returns the hash of [`Record::trace`].
    pub fn hash(&self) -> u64 {
        fnv(self.trace().as_bytes())
    }
}

/// Returns how `side` ended, from the entries of an event log.
pub(crate) fn ending(entries: &[LogEntry], side: Role) -> Ending {
    let mut ending = Ending::Open;
    let mut let_go = false;
    for entry in entries.iter().filter(|entry| entry.side == side) {
        match &entry.what {
            LogEvent::Ended(outcome) => return Ending::Outcome(outcome.clone()),
            LogEvent::Did(action) if action.takes_away() => ending = Ending::Killed(*action),
            LogEvent::DroppedUnread => let_go = true,
            LogEvent::Sent(_) | LogEvent::Got(_) | LogEvent::Did(_) | LogEvent::Accepted(_) | LogEvent::Handed(_) => (),
            LogEvent::Stalled(_) | LogEvent::Relayed(_) | LogEvent::Held | LogEvent::Cut => (),
        }
    }
    match ending {
        // A side that stops reading is gone only once it has closed its socket.
        Ending::Killed(Action::DropUnread) if !let_go => Ending::Open,
        Ending::Outcome(_) | Ending::Killed(_) | Ending::Open => ending,
    }
}
