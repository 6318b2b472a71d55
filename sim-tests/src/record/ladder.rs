//! Records as text for people.

use crate::record::event_log::LogEvent;
use crate::record::{Ending, Record};
use echo_core::Role;
use std::fmt::Write;

/// Columns of the client's side.
pub(crate) const WIDTH: usize = 30;

/// Returns the ladder: the client's events on the left, the server's on the right, time downwards.
///
/// `─▶` marks what an end sends, `▶` what it reads. With `times`, each line begins with the virtual time in
/// milliseconds. Without, the text depends only on the order of events.
pub fn ladder(record: &Record, times: bool) -> String {
    let mut text = format!("{} on {}\n", record.scenario, record.backend.id());
    let margin = if times { "   ms  " } else { "" };
    line(&mut text, margin, "client", "server");
    for entry in &record.entries {
        let Some((left, right)) = step(entry.side, &entry.what) else { continue };
        let margin = if times { format!("{:>5}  ", entry.at) } else { String::new() };
        line(&mut text, &margin, &left, &right);
    }
    for left in &record.unreached {
        let _ = writeln!(text, "never reached: {left}");
    }
    for side in Role::BOTH {
        let _ = writeln!(text, "{}: {}", side.name(), ending(&record.ending(side)));
    }
    text
}

/// Describes how an end ended.
pub fn ending(ending: &Ending) -> String {
    match ending {
        Ending::Outcome(outcome) => outcome.to_string(),
        Ending::Killed(action) => format!("killed ({})", action.id()),
        Ending::Open => "still open".to_owned(),
    }
}

pub(crate) fn line(text: &mut String, margin: &str, left: &str, right: &str) {
    let pad = WIDTH.saturating_sub(left.chars().count());
    let whole = format!("{margin}{left}{:pad$}│ {right}", "");
    let _ = writeln!(text, "{}", whole.trim_end());
}

/// Returns one event in the two columns; `None` for one that is not on the wire.
fn step(side: Role, what: &LogEvent) -> Option<(String, String)> {
    let put = |client: String, server: String| match side {
        Role::Client => (client, String::new()),
        Role::Server => (String::new(), server),
    };
    let right_aligned = |words: String| format!("{words:>width$}", width = WIDTH - 1);
    Some(match what {
        LogEvent::Sent(unit) => put(right_aligned(format!("{unit} ─▶")), format!("◀─ {unit}")),
        LogEvent::Got(unit) => put(right_aligned(format!("{unit} ◀")), format!("▶ {unit}")),
        LogEvent::Did(action) => put(format!("* {}", action.id()), format!("* {}", action.id())),
        LogEvent::DroppedUnread => put("* closes unread".into(), "* closes unread".into()),
        LogEvent::Stalled(point) => put(format!("~ {}", point.id()), format!("~ {}", point.id())),
        LogEvent::Relayed(unit) => put(format!("~ {unit} from the relay"), format!("~ {unit} from the relay")),
        LogEvent::Held => put("~ held on the way from here".into(), "~ held on the way from here".into()),
        LogEvent::Cut => ("~ the network is cut".into(), "~ the network is cut".into()),
        LogEvent::Ended(outcome) => put(format!("= {}", outcome.end.name()), format!("= {}", outcome.end.name())),
        LogEvent::Accepted(_) | LogEvent::Handed(_) => return None,
    })
}
