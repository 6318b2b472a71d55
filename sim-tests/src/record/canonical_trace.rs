//! The part of a record that does not depend on time.

use super::Record;
use super::event_log::LogEvent;
use echo_core::Role;
use std::fmt::Write;

/// Returns the canonical trace: what each end sent, received and handed over, in order, and how each ended. It has no
/// names, no times, and none of the harness's own events.
pub fn canonical_trace(record: &Record) -> String {
    let mut text = String::new();
    for entry in &record.entries {
        let tells = match entry.what {
            LogEvent::Sent(_) | LogEvent::Got(_) | LogEvent::Accepted(_) | LogEvent::Handed(_) | LogEvent::Ended(_) => {
                true
            }
            LogEvent::Did(_)
            | LogEvent::DroppedUnread
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
