//! A look as lines.

use super::look::{Look, Row};
use super::target::Target;
use super::time_wait::{Kind, TimeWaits};
use crate::exit::counted;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use tcp_states::{Finding, Harm, TcpSocket, time};

/// How many sockets with the same finding and the same holder are shown.
const SHOWN: usize = 5;

/// Returns a look as text. `at` is the time of the look.
pub(crate) fn look(look: &Look, target: Option<Target>, at: &str) -> String {
    let mut text = format!("{at}  {}\n", summary(look, target));
    if let Some(line) = unreadable(look) {
        let _ = writeln!(text, "{line}");
    }
    if !look.rows.is_empty() || !look.time_waits.is_empty() {
        let _ = writeln!(text, "{}", head());
    }
    let mut seen: BTreeMap<(Finding, &str), usize> = BTreeMap::new();
    for row in &look.rows {
        let count = seen.entry((row.diagnosis.finding, &row.holder)).or_default();
        *count += 1;
        if *count <= SHOWN {
            let _ = writeln!(text, "{}\n         {}", cells(row), row.text());
        }
    }
    for ((finding, holder), count) in seen.into_iter().filter(|(_, count)| *count > SHOWN) {
        let _ = writeln!(text, "         {} more like this: {}, held by {holder}", count - SHOWN, finding.name());
    }
    for group in &look.time_waits {
        let _ = writeln!(text, "{}\n         {}", time_wait(group), group.text());
    }
    text
}

/// Returns how many sockets there are, and where.
pub(crate) fn summary(look: &Look, target: Option<Target>) -> String {
    let mut parts = vec![format!("network namespace {}", look.namespace)];
    parts.extend(target.map(|target| format!("{target} only")));
    parts.push(format!("{} stuck", look.count(Harm::Stuck)));
    parts.push(format!("{} passing", look.count(Harm::Passing)));
    match look.counts.is_empty() {
        true => parts.push("no socket in a closing state".to_owned()),
        false => parts.extend(look.counts.iter().map(|(state, count)| format!("{state} {count}"))),
    }
    parts.join(", ")
}

/// Returns what is missing because of permissions.
pub(crate) fn unreadable(look: &Look) -> Option<String> {
    let processes = match look.unreadable {
        0 => return None,
        1 => "1 process".to_owned(),
        count => format!("{count} processes"),
    };
    Some(format!("The sockets of {processes} cannot be read, so some owners are missing: root sees them all"))
}

fn head() -> String {
    format!(
        "{:<8} {:<12} {:>13} {:>9} {:>9} {:<19} {:<23} {:<23} {}",
        "HARM", "STATE", "AGE", "RECV-Q", "SEND-Q", "TIMER", "LOCAL", "PEER", "HELD BY"
    )
}

fn cells(row: &Row) -> String {
    let socket = &row.observed.socket;
    format!(
        "{:<8} {:<12} {:>13} {:>9} {:>9} {:<19} {:<23} {:<23} {}",
        row.diagnosis.harm.name(),
        socket.state,
        age(row),
        socket.recv_queue,
        socket.send_queue,
        timer(socket),
        socket.local.to_string(),
        socket.remote.to_string(),
        row.holder
    )
}

fn time_wait(group: &TimeWaits) -> String {
    let (local, remote) = match group.kind {
        Kind::Client(local, server) => (local.to_string(), server.to_string()),
        Kind::Server(local) => (local.to_string(), counted(group.count, "client")),
    };
    format!(
        "{:<8} {:<12} {:>13} {:>9} {:>9} {:<19} {local:<23} {remote:<23} no process",
        group.harm.name(),
        "TIME-WAIT",
        format!("{} of them", group.count),
        0,
        0,
        format!("time-wait {}", time(group.left)),
    )
}

/// Returns the time in the state: `40 s`, or `>40 s` if it may be longer.
pub(crate) fn age(row: &Row) -> String {
    let age = row.observed.age;
    format!("{}{}", if age.is_minimum { ">" } else { "" }, time(age.time))
}

/// Returns the timer that runs, and the time until it expires.
pub(crate) fn timer(socket: &TcpSocket) -> String {
    socket.timer.map_or("-".to_owned(), |timer| format!("{} {}", timer.kind.name(), time(timer.expires)))
}
