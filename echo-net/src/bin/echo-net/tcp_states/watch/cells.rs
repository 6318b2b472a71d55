//! A socket, or a group in TIME-WAIT, as the cells of a table.

use super::look::{Look, Row};
use super::time_wait::{Kind, TimeWaits};
use crate::exit::counted;
use std::time::Duration;
use tcp_states::{Finding, Harm, TcpSocket, TcpState};

/// The names of the columns.
pub(crate) const HEAD: [&str; 9] = ["HARM", "STATE", "AGE", "RECV-Q", "SEND-Q", "TIMER", "LOCAL", "PEER", "HELD BY"];

/// A line of a look.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Entry<'a> {
    Socket(&'a Row),
    TimeWait(&'a TimeWaits),
}

impl Look {
    /// Returns all lines, the worst first; of those that hurt equally, sockets first.
    pub(crate) fn entries(&self) -> Vec<Entry<'_>> {
        let groups = self.time_waits.iter().map(Entry::TimeWait);
        let mut entries: Vec<Entry<'_>> = self.rows.iter().map(Entry::Socket).chain(groups).collect();
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.harm()));
        entries
    }
}

/// What stays the same of a line from look to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Cookie(u64),
    Group(Kind),
}

impl Entry<'_> {
    pub(crate) fn key(self) -> Key {
        match self {
            Self::Socket(row) => Key::Cookie(row.observed.socket.cookie),
            Self::TimeWait(group) => Key::Group(group.kind),
        }
    }

    pub(crate) fn harm(self) -> Harm {
        match self {
            Self::Socket(row) => row.diagnosis.harm,
            Self::TimeWait(group) => group.harm,
        }
    }

    pub(crate) fn finding(self) -> Finding {
        match self {
            Self::Socket(row) => row.diagnosis.finding,
            Self::TimeWait(_) => Finding::TimeWait,
        }
    }

    pub(crate) fn state(self) -> TcpState {
        match self {
            Self::Socket(row) => row.observed.socket.state,
            Self::TimeWait(_) => TcpState::TimeWait,
        }
    }

    /// Returns the age of a socket ([`Row::age`]).
    pub(crate) fn age(self) -> Duration {
        match self {
            Self::Socket(row) => row.age(),
            Self::TimeWait(_) => Duration::ZERO,
        }
    }

    pub(crate) fn holder(self) -> String {
        match self {
            Self::Socket(row) => row.holder.to_string(),
            Self::TimeWait(_) => "no process".to_owned(),
        }
    }

    /// Returns the age: `40s`, or `>40s` if it may be longer; of a group, how many they are.
    fn age_cell(self) -> String {
        match self {
            Self::Socket(row) => {
                let sign = if row.observed.age.is_minimum { ">" } else { "" };
                format!("{sign}{}", compact(self.age()))
            }
            Self::TimeWait(group) => format!("× {}", group.count),
        }
    }

    /// Returns the diagnosis in words.
    pub(crate) fn text(self) -> String {
        match self {
            Self::Socket(row) => row.text(),
            Self::TimeWait(group) => group.text(),
        }
    }

    /// Returns what stands in the columns of [`HEAD`].
    pub(crate) fn cells(self) -> [String; 9] {
        let (harm, state) = (self.harm().name().to_owned(), self.state().to_string());
        match self {
            Self::Socket(row) => {
                let socket = &row.observed.socket;
                let [received, sent] = [socket.recv_queue, socket.send_queue].map(|count| count.to_string());
                let [local, remote] = [socket.local, socket.remote].map(|address| address.to_string());
                [harm, state, self.age_cell(), received, sent, timer(socket), local, remote, self.holder()]
            }
            Self::TimeWait(group) => {
                let (local, remote) = match group.kind {
                    Kind::Client(local, server) => (local.to_string(), server.to_string()),
                    Kind::Server(local) => (local.to_string(), counted(group.count, "client")),
                };
                let timer = format!("time-wait {}", compact(group.left));
                [harm, state, self.age_cell(), "0".to_owned(), "0".to_owned(), timer, local, remote, self.holder()]
            }
        }
    }
}

/// Returns a time for a narrow column: `40s`, `12m05s`, `3h05m`.
fn compact(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..100 => format!("{seconds}s"),
        100..6_000 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3_600, seconds / 60 % 60),
    }
}

fn timer(socket: &TcpSocket) -> String {
    socket.timer.map_or("-".to_owned(), |timer| format!("{} {}", timer.kind.name(), compact(timer.expires)))
}

#[cfg(test)]
mod tests {
    use super::compact;
    use std::time::Duration;

    #[test]
    fn times_are_short() {
        for (seconds, text) in [(0, "0s"), (99, "99s"), (100, "1m40s"), (5_999, "99m59s"), (6_000, "1h40m")] {
            assert_eq!(compact(Duration::from_secs(seconds)), text);
        }
    }
}
