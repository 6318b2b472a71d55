//! What of a record is the same however long everything took.

use super::Record;
use super::event_log::LogEvent;
use echo_core::Role;
use std::fmt::Write;

/// The canonical trace: the order of what was sent, got and handed over at both ends, and how they ended; without
/// names, times, and the harness's own bookkeeping.
pub fn canonical_trace(record: &Record) -> String {
    let mut text = String::new();
    for entry in &record.entries {
        let tells = match entry.what {
            LogEvent::Sent(_) | LogEvent::Got(_) | LogEvent::Accepted(_) | LogEvent::Handed(_) | LogEvent::Ended(_) => {
                true
            }
            LogEvent::Did(_)
            | LogEvent::LetGo
            | LogEvent::Stalled(_)
            | LogEvent::Relayed(_)
            | LogEvent::Held
            | LogEvent::Cut => false,
        };
        if tells {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{} {}", entry.side.name(), entry.what);
        }
    }
    for side in Role::BOTH {
        let _ = writeln!(text, "{}: {}", side.name(), record.ending(side).name());
    }
    text
}
