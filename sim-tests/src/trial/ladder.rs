//! A run as text for people.

use super::run::{TrialEntry, TrialEvent, TrialRun};
use crate::record::ladder::{WIDTH, line};
use echo_core::Role;
use std::fmt::{Debug, Write};

/// Up to this many equal entries in a row are all shown; of more, only the first and the last.
const REPEATED: usize = 3;

/// Writes the ladder: the client's events left, the server's right, time in milliseconds downwards.
///
/// `─▶` marks what a side sends, `▶` what it reads. Each I/O event has its number.
pub(super) fn ladder<C: Debug, S: Debug>(run: &TrialRun<C, S>) -> String {
    let mut text = format!("{}\n", run.scenario);
    line(&mut text, "   ms  ", "client", "server");
    let mut events = [0, 0];
    for group in run.log.chunk_by(|one, next| one.same(next)) {
        for (index, entry) in group.iter().enumerate() {
            let count = &mut events[entry.side as usize];
            *count += usize::from(entry.what.is_event());
            if index == 0 || index + 1 == group.len() || group.len() == REPEATED {
                let (left, right) = columns(entry, *count);
                line(&mut text, &format!("{:>5}  ", entry.at), &left, &right);
            } else if index == 1 {
                let words = format!("    … {} more", group.len() - 2);
                let (left, right) =
                    if entry.side == Role::Client { (words, String::new()) } else { (String::new(), words) };
                line(&mut text, &" ".repeat(7), &left, &right);
            }
        }
    }
    // Writing to a string cannot fail.
    let _ = writeln!(text, "client: {}\nserver: {}", run.client, run.server);
    text
}

fn columns(entry: &TrialEntry, count: usize) -> (String, String) {
    let connection =
        entry.connection.filter(|number| *number > 1).map_or(String::new(), |number| format!("({number}) "));
    let words = entry.label.clone().unwrap_or_else(|| describe(&entry.what));
    let words = shorten(connection + &words, WIDTH - 8);
    let number = if entry.what.is_event() { format!("#{count}") } else { String::new() };
    let room = WIDTH - 7;
    match (entry.side, arrows(&entry.what)) {
        (Role::Client, Some((arrow, _))) => (format!("{number:<4}{words:>room$} {arrow}"), String::new()),
        (Role::Client, None) => (format!("{number:<4}{words}"), String::new()),
        (Role::Server, Some((_, arrow))) => (String::new(), format!("{arrow:<2} {words:<room$}{number:>4}")),
        (Role::Server, None) => (String::new(), format!("   {words:<room$}{number:>4}")),
    }
}

impl TrialEntry {
    /// Whether both are equal but for their time and their bytes.
    fn same(&self, other: &Self) -> bool {
        (self.side, self.connection, &self.what) == (other.side, other.connection, &other.what)
    }
}

/// Describes an entry in a few words.
fn describe(what: &TrialEvent) -> String {
    match what {
        TrialEvent::Read(1) | TrialEvent::Wrote(1) => "1 byte".to_owned(),
        TrialEvent::Read(count) | TrialEvent::Wrote(count) => format!("{count} bytes"),
        TrialEvent::ReadEnd => "the end".to_owned(),
        TrialEvent::ReadFailed(kind) => kind.to_string(),
        TrialEvent::Returned(outcome) => format!("= {outcome}"),
        TrialEvent::WriteFailed(_)
        | TrialEvent::ShutDown
        | TrialEvent::Dropped
        | TrialEvent::FlushFailed
        | TrialEvent::ShutdownFailed
        | TrialEvent::Cancelled
        | TrialEvent::Connected
        | TrialEvent::ConnectFailed(_)
        | TrialEvent::Accepted
        | TrialEvent::AcceptFailed
        | TrialEvent::SentFin
        | TrialEvent::SentReset => what.to_string(),
        TrialEvent::Noted(text) => format!("- {text}"),
        TrialEvent::Traced(line) => format!("| {line}"),
        TrialEvent::Socket(state) => format!("[{state}]"),
        TrialEvent::Panicked(_) | TrialEvent::TaskPanicked(_) | TrialEvent::TooManyEvents => format!("! {what}"),
        TrialEvent::PacketDelayed(late) => format!("~ takes {late} ms longer"),
        TrialEvent::RelayedFin | TrialEvent::RelayedReset | TrialEvent::PacketLost => format!("~ {what}"),
        TrialEvent::Injected(fault) => format!("* {}", fault.id()),
        TrialEvent::Cut | TrialEvent::StartedAgain => format!("* {what}"),
    }
}

/// The arrows of an entry that sends or reads, for the client's and the server's column.
fn arrows(what: &TrialEvent) -> Option<(&'static str, &'static str)> {
    match what {
        TrialEvent::Wrote(_) | TrialEvent::SentFin | TrialEvent::SentReset => Some(("─▶", "◀─")),
        TrialEvent::Read(_) | TrialEvent::ReadEnd | TrialEvent::ReadFailed(_) => Some(("◀", "▶")),
        TrialEvent::WriteFailed(_)
        | TrialEvent::ShutDown
        | TrialEvent::Dropped
        | TrialEvent::FlushFailed
        | TrialEvent::ShutdownFailed
        | TrialEvent::Cancelled
        | TrialEvent::Connected
        | TrialEvent::ConnectFailed(_)
        | TrialEvent::Accepted
        | TrialEvent::AcceptFailed
        | TrialEvent::Returned(_)
        | TrialEvent::Panicked(_) => None,
        TrialEvent::TooManyEvents
        | TrialEvent::TaskPanicked(_)
        | TrialEvent::Noted(_)
        | TrialEvent::Traced(_)
        | TrialEvent::Socket(_)
        | TrialEvent::RelayedFin
        | TrialEvent::RelayedReset
        | TrialEvent::Injected(_)
        | TrialEvent::Cut
        | TrialEvent::PacketDelayed(_)
        | TrialEvent::PacketLost
        | TrialEvent::StartedAgain => None,
    }
}

/// Cuts a text to a line of at most `most` characters.
fn shorten(words: String, most: usize) -> String {
    if words.chars().count() <= most {
        return words;
    }
    words.chars().take(most - 1).chain(['…']).collect()
}
