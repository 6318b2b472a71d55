//! What all runs share: deadlines, the wall clock at the start, payloads.

use crate::network::READ_INTERVAL as PACE_OF_READERS;
use crate::scenario::network::Network;
use crate::scenario::{Scenario, Wire};
use crate::support::Millis;
use crate::support::pairs;
use echo_core::{CloseCode, CloseReason, Config, Connection, Deadline, Deadlines, Role, Stamp};
use std::time::Duration;

/// The wall clock when a run begins: Mon Nov 23 08:16:00 2026, UTC.
pub const EPOCH: Stamp = Stamp(1_795_421_760_000_000_000);

/// Factor by which a TCP stack's clock runs faster than the harness's. The harness's deadlines are shorter than real
/// ones by about the same factor. A first retransmission comes after 40 ms instead of 1 s.
pub const TCP_TIME_SCALE: u64 = 25;

/// Returns the deadlines of PROTOCOL.md, roughly 20 to 30 times shorter (answer, write and idle more), because waiting
/// costs steps. No two deadlines or sums of deadlines are so close that one tick decides their order.
pub fn deadlines() -> Deadlines {
    let mut all = Deadlines::default();
    for deadline in Deadline::ALL {
        let length = match deadline {
            Deadline::Connect | Deadline::Shutdown => 400,
            Deadline::Detect => 170,
            Deadline::Answer => 650,
            Deadline::Idle => 800,
            Deadline::Write => 570,
            Deadline::Drain => 200,
            Deadline::Close => 130,
            Deadline::Fin => 80,
            Deadline::Linger => 90,
        };
        all.set(deadline, Duration::from_millis(length));
    }
    all
}

/// Returns the extra time that an end waits. With equal deadlines, one tick would decide which end's passes first. A
/// client waits longer when idle, and for the CLOSE of a server that has waited for its GOAWAY just as long.
fn patience(role: Role, deadline: Deadline) -> Duration {
    match (role, deadline) {
        (Role::Client, Deadline::Idle) => Duration::from_millis(100),
        (Role::Client, Deadline::Drain) => Duration::from_millis(40),
        // A server's last packets, sent when its shutdown deadline passes, arrive before the client's passes.
        (Role::Client, Deadline::Shutdown) => Duration::from_millis(20),
        (Role::Client | Role::Server, _) => Duration::ZERO,
    }
}

/// Bytes that count as progress within a deadline. More than any frame of the ending has, and less than `slower-reader`
/// takes.
pub const PROGRESS: usize = 200;

/// Silence after which an incomplete plain message is taken as complete.
pub const QUIET: Duration = Duration::from_millis(9);

/// Returns the deadlines of the end `role`.
pub fn deadlines_of(scenario: &Scenario, role: Role) -> Deadlines {
    let mut all = deadlines();
    for (deadline, length) in &scenario.overrides.deadlines {
        all.set(*deadline, Duration::from_millis(*length));
    }
    for deadline in Deadline::ALL {
        all.set(deadline, all.length(deadline) + patience(role, deadline));
    }
    all
}

/// Returns the configuration of the end `role`.
pub fn config(scenario: &Scenario, role: Role) -> Config {
    let mut config = Config::default();
    if let (Role::Server, Some(limit)) = (role, scenario.overrides.limit) {
        config.limit = limit;
    }
    config.deadlines = deadlines_of(scenario, role);
    config.quiet = QUIET;
    config.first_fin = scenario.wire.first_fin().unwrap_or(Role::Client);
    config.progress = PROGRESS;
    // The scenario limits what a service may owe.
    config.unanswered = usize::MAX;
    config.observe = Some(pairs::observe);
    config
}

/// Returns a new server: a service, if its handler takes time.
pub fn server(scenario: &Scenario) -> Connection {
    let config = config(scenario, Role::Server);
    match scenario.overrides.handler {
        Some(_) => Connection::service(config, EPOCH),
        None => Connection::server(config, EPOCH),
    }
}

/// Returns the close reason that a draining server sends to its clients.
pub fn server_close_reason() -> CloseReason {
    CloseReason::new(CloseCode::GOING_AWAY, "the server is shutting down")
}

/// Returns the virtual time by which both ends must have ended. It is the sum of all deadlines and of all limited
/// faults, plus time for the last packets, each of which may wait for its batch.
pub fn budget(scenario: &Scenario) -> Millis {
    let deadlines = deadlines_of(scenario, Role::Client);
    let all: Duration = Deadline::ALL.iter().map(|deadline| deadlines.length(*deadline)).sum();
    let faults: Millis = scenario.network.faults.iter().filter_map(|fault| fault.span().after(0)).sum();
    let Network { latency, batch, takes, .. } = scenario.network;
    let packets = 10 * (latency + batch);
    let reading = if takes == 0 { 0 } else { 2 * PACE_OF_READERS * all_bytes(scenario) / takes as Millis };
    let handler = scenario.overrides.handler.unwrap_or(0);
    let all = Millis::try_from(all.as_millis()).unwrap_or(Millis::MAX);
    all.saturating_add(faults).saturating_add(packets + reading + handler)
}

/// Estimates the bytes that one side sends: its messages, and overhead for each message and for the ending.
pub fn all_bytes(scenario: &Scenario) -> u64 {
    let bytes = scenario.talk.iter().sum::<usize>() as u64;
    // A server answers each piece of a plain line. Pieces result from its limit, and from input so slow that QUIET
    // passes.
    let Network { reads, writes, takes, .. } = scenario.network;
    let byte_by_byte = (1..=PACE_OF_READERS as usize + 2).contains(&takes);
    let sizes = [scenario.overrides.limit.unwrap_or(0), reads, writes, usize::from(byte_by_byte)];
    let pieces = match sizes.into_iter().filter(|size| *size > 0).min() {
        Some(size) if scenario.wire == Wire::Plain => bytes.div_ceil(size as u64),
        Some(_) | None => 0,
    };
    bytes + 30 * (scenario.talk.len() as u64 + pieces) + 150
}
