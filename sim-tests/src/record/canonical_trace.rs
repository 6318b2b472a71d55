//! What of a record is the same however long everything took.

use super::Record;
use super::event_log::What;
use echo_core::Role;
use std::fmt::Write;

/// The canonical trace: the order of what was sent, got and handed over at both ends, and how they ended; without
/// names, times, and the harness's own bookkeeping.
pub fn canonical_trace(record: &Record) -> String {
    let mut text = String::new();
    for entry in &record.entries {
        let tells = match entry.what {
            What::Sent(_) | What::Got(_) | What::Accepted(_) | What::Handed(_) | What::Ended(_) => true,
            What::Did(_) | What::LetGo | What::Stalled(_) | What::Relayed(_) | What::Held | What::Cut => false,
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
