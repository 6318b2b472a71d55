//! What the kernel shows of both ends at one moment.

use super::plan::Side;
use crate::tcp_states::millis;
use serde::Serialize;
use std::net::SocketAddr;
use std::time::Duration;
use tcp_states::{Owner, Owners, TcpSocket, TcpState, TimerKind};

/// A moment of an experiment.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Moment {
    /// Time since the beginning.
    pub(crate) ms: u64,
    /// What the programs have done since the moment before.
    pub(crate) action: String,
    pub(crate) client: End,
    pub(crate) server: End,
    /// What it means.
    pub(crate) explanation: String,
}

/// One end: its socket as the kernel shows it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct End {
    pub(crate) address: SocketAddr,
    pub(crate) state: TcpState,
    /// States since the moment before that passed too fast to be seen.
    pub(crate) passed: Vec<TcpState>,
    /// Bytes that the program has not read; a FIN counts as one.
    pub(crate) recv_queue: u32,
    /// Bytes that the peer has not acknowledged; a FIN counts as one.
    pub(crate) send_queue: u32,
    pub(crate) timer: Option<TimerKind>,
    /// Time until the timer expires.
    pub(crate) timer_ms: Option<u64>,
    /// The processes that hold the socket.
    pub(crate) owners: Vec<Owner>,
}

/// The client's end and the server's, before they are in a moment.
#[derive(Debug)]
pub(crate) struct Rows(pub(crate) [End; 2]);

impl Rows {
    pub(crate) fn of(&self, side: Side) -> &End {
        &self.0[side as usize]
    }
}

impl Moment {
    pub(crate) fn new(at: Duration, action: String, rows: Rows, passed: [&[TcpState]; 2], explanation: String) -> Self {
        let Rows([mut client, mut server]) = rows;
        client.passed = passed[0].to_vec();
        server.passed = passed[1].to_vec();
        Self { ms: millis(at), action, client, server, explanation }
    }

    pub(crate) fn of(&self, side: Side) -> &End {
        match side {
            Side::Client => &self.client,
            Side::Server => &self.server,
        }
    }
}

impl End {
    /// `socket` is `None` if the kernel has no socket for this end any more.
    pub(crate) fn new(address: SocketAddr, socket: Option<&TcpSocket>, owners: &Owners) -> Self {
        let held = socket.map(|socket| owners.of(socket.inode)).unwrap_or_default();
        let closed = Self {
            address,
            state: TcpState::Closed,
            passed: Vec::new(),
            recv_queue: 0,
            send_queue: 0,
            timer: None,
            timer_ms: None,
            owners: held.to_vec(),
        };
        closed.updated(socket)
    }

    /// Returns this end with what the kernel shows now, and the same owners.
    pub(crate) fn updated(&self, socket: Option<&TcpSocket>) -> Self {
        let timer = socket.and_then(|socket| socket.timer);
        Self {
            state: socket.map_or(TcpState::Closed, |socket| socket.state),
            recv_queue: socket.map_or(0, |socket| socket.recv_queue),
            send_queue: socket.map_or(0, |socket| socket.send_queue),
            timer: timer.map(|timer| timer.kind),
            timer_ms: timer.map(|timer| millis(timer.expires)),
            ..self.clone()
        }
    }

    /// Returns the time until the timer expires, in whole seconds.
    pub(crate) fn seconds_left(&self) -> u64 {
        self.timer_ms.unwrap_or_default().div_ceil(1000)
    }

    /// Returns the timer in words.
    pub(crate) fn timer(&self) -> String {
        match (self.timer, self.timer_ms) {
            (Some(kind), Some(millis)) if millis >= 10_000 => format!("{} {} s", kind.name(), millis.div_ceil(1000)),
            (Some(kind), Some(millis)) => {
                format!("{} {:.1} s", kind.name(), Duration::from_millis(millis).as_secs_f64())
            }
            (_, _) => "-".to_owned(),
        }
    }

    /// Returns the processes that hold it in words.
    pub(crate) fn holders(&self) -> String {
        let names: Vec<String> = self.owners.iter().map(Owner::to_string).collect();
        if names.is_empty() { "-".to_owned() } else { names.join(", ") }
    }
}
