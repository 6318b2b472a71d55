//! A look as JSON. `echo-net/TCP-STATES.md` describes the schema.

use super::look::{Look, Row};
use super::target::Target;
use super::time_wait::{Kind, TimeWaits};
use crate::tcp_states::millis;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use tcp_states::{Finding, Harm, Owner, TcpState, TimerKind};

#[derive(Serialize)]
pub(crate) struct Document<'a> {
    schema: &'static str,
    version: u32,
    time: &'a str,
    network_namespace: u64,
    target: Option<String>,
    stuck_after_ms: u64,
    unreadable_processes: usize,
    counts: BTreeMap<&'static str, usize>,
    stuck: usize,
    passing: usize,
    #[serde(serialize_with = "sockets")]
    sockets: &'a [Row],
    time_wait: Vec<Group>,
}

#[derive(Serialize)]
struct Socket<'a> {
    cookie: u64,
    local: SocketAddr,
    remote: SocketAddr,
    state: TcpState,
    age_ms: u64,
    age_is_minimum: bool,
    recv_queue: u32,
    recv_still_ms: u64,
    send_queue: u32,
    send_still_ms: u64,
    timer: Option<TimerKind>,
    timer_ms: Option<u64>,
    retransmissions: u8,
    uid: u32,
    owners: &'a [Owner],
    finding: Finding,
    harm: Harm,
    diagnosis: String,
}

#[derive(Serialize)]
struct Group {
    side: &'static str,
    local: String,
    remote: Option<SocketAddr>,
    count: usize,
    left_ms: u64,
    port_share: Option<f64>,
    harm: Harm,
    diagnosis: String,
}

impl<'a> Document<'a> {
    /// `time` is the time of the look, in RFC 3339.
    pub(crate) fn new(look: &'a Look, target: Option<Target>, patience: Duration, time: &'a str) -> Self {
        Self {
            schema: "echo-net/tcp-states-watch",
            version: 1,
            time,
            network_namespace: look.namespace,
            target: target.map(|target| target.to_string()),
            stuck_after_ms: millis(patience),
            unreadable_processes: look.unreadable,
            counts: look.counts.iter().map(|(state, count)| (state.name(), *count)).collect(),
            stuck: look.count(Harm::Stuck),
            passing: look.count(Harm::Passing),
            sockets: &look.rows,
            time_wait: look.time_waits.iter().map(group).collect(),
        }
    }
}

/// Writes one socket after the other, because there can be thousands.
fn sockets<S: Serializer>(rows: &[Row], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(rows.iter().map(socket))
}

fn socket(row: &Row) -> Socket<'_> {
    let observed = &row.observed;
    let socket = &observed.socket;
    Socket {
        cookie: socket.cookie,
        local: socket.local,
        remote: socket.remote,
        state: socket.state,
        age_ms: millis(row.age()),
        age_is_minimum: observed.age.is_minimum,
        recv_queue: socket.recv_queue,
        recv_still_ms: millis(observed.recv_still),
        send_queue: socket.send_queue,
        send_still_ms: millis(observed.send_still),
        timer: socket.timer.map(|timer| timer.kind),
        timer_ms: socket.timer.map(|timer| millis(timer.expires)),
        retransmissions: socket.retransmissions,
        uid: socket.uid,
        owners: &row.owners,
        finding: row.diagnosis.finding,
        harm: row.diagnosis.harm,
        diagnosis: row.text(),
    }
}

fn group(group: &TimeWaits) -> Group {
    let (side, local, remote) = match group.kind {
        Kind::Client(local, server) => ("client", local.to_string(), Some(server)),
        Kind::Server(local) => ("server", local.to_string(), None),
    };
    Group {
        side,
        local,
        remote,
        count: group.count,
        left_ms: millis(group.left),
        port_share: group.share,
        harm: group.harm,
        diagnosis: group.text(),
    }
}
