//! A socket, or a group in TIME-WAIT, as the cells of a table.

use super::look::{Look, Row};
use super::time_wait::{Kind, TimeWaits};
use crate::exit::counted;
use std::time::Duration;
use tcp_states::{Harm, TcpSocket, TcpState, time};

/// The names of the columns.
pub(crate) const HEAD: [&str; 9] = ["HARM", "STATE", "AGE", "RECV-Q", "SEND-Q", "TIMER", "LOCAL", "PEER", "HELD BY"];

/// A line of a look.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Entry<'a> {
    Socket(&'a Row),
    TimeWait(&'a TimeWaits),
}

impl Look {
    /// Returns all lines, sockets first.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        self.rows.iter().map(Entry::Socket).chain(self.time_waits.iter().map(Entry::TimeWait))
    }
}

impl Entry<'_> {
    pub(crate) fn harm(self) -> Harm {
        match self {
            Self::Socket(row) => row.diagnosis.harm,
            Self::TimeWait(group) => group.harm,
        }
    }

    pub(crate) fn state(self) -> TcpState {
        match self {
            Self::Socket(row) => row.observed.socket.state,
            Self::TimeWait(_) => TcpState::TimeWait,
        }
    }

    /// Returns the time in the state; for an open socket the time in which a queue has not moved.
    pub(crate) fn age(self) -> Duration {
        match self {
            Self::Socket(row) if row.observed.socket.state == TcpState::Established => {
                row.observed.send_still.max(row.observed.recv_still)
            }
            Self::Socket(row) => row.observed.age.time,
            Self::TimeWait(_) => Duration::ZERO,
        }
    }

    pub(crate) fn holder(self) -> String {
        match self {
            Self::Socket(row) => row.holder.to_string(),
            Self::TimeWait(_) => "no process".to_owned(),
        }
    }

    /// Returns the age: `40 s`, or `>40 s` if it may be longer; of a group, how many they are.
    fn age_cell(self) -> String {
        match self {
            Self::Socket(row) => {
                let sign = if row.observed.age.is_minimum { ">" } else { "" };
                format!("{sign}{}", time(self.age()))
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
                let timer = format!("time-wait {}", time(group.left));
                [harm, state, self.age_cell(), "0".to_owned(), "0".to_owned(), timer, local, remote, self.holder()]
            }
        }
    }
}

fn timer(socket: &TcpSocket) -> String {
    socket.timer.map_or("-".to_owned(), |timer| format!("{} {}", timer.kind.name(), time(timer.expires)))
}
