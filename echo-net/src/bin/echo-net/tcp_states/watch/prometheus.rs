//! A look as metrics, for the textfile collector of Prometheus's node exporter.

use super::look::Look;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use tcp_states::TcpState;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct State {
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Found {
    finding: &'static str,
    harm: &'static str,
    program: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Peer {
    peer: String,
}

/// Replaces the file at once, so that no reader sees a part of it.
///
/// # Errors
/// The system's error.
pub(crate) fn write(path: &Path, look: &Look) -> io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    // The collector reads only *.prom.
    new.push(format!(".{}.new", std::process::id()));
    let written = fs::write(&new, text(look)).and_then(|()| fs::rename(&new, path));
    written.inspect_err(|_| drop(fs::remove_file(&new)))
}

/// Returns the metrics, each label set in its order.
fn text(look: &Look) -> String {
    let mut registry = Registry::with_prefix("tcp_states");
    let sockets = Family::<State, Gauge>::default();
    let oldest = Family::<State, Gauge<f64, AtomicU64>>::default();
    let found = Family::<Found, Gauge>::default();
    let shares = Family::<Peer, Gauge<f64, AtomicU64>>::default();
    let unreadable = Gauge::<i64>::default();
    registry.register("sockets", "Sockets in each closing state", sockets.clone());
    registry.register(
        "oldest_seconds",
        "Longest time that a socket has been in the state, as observed",
        oldest.clone(),
    );
    registry.register("findings", "Sockets with each finding, by the program that holds them", found.clone());
    registry.register("time_wait_port_share", "Share of the local ports to a peer that TIME-WAIT uses", shares.clone());
    registry.register("unreadable_processes", "Processes whose sockets cannot be read", unreadable.clone());
    for state in TcpState::ALL.into_iter().filter(|state| *state > TcpState::Established) {
        let count = look.counts.get(&state).copied().unwrap_or_default();
        sockets.get_or_create(&State { state: state.name() }).set(number(count));
    }
    for row in &look.rows {
        let state = row.observed.socket.state;
        if state != TcpState::Established {
            let gauge = oldest.get_or_create(&State { state: state.name() });
            let longest = gauge.get().max(row.observed.age.time.as_secs_f64());
            gauge.set(longest);
        }
        let program = row.owners.first().map(|owner| owner.program.clone()).unwrap_or_default();
        found
            .get_or_create(&Found { finding: row.diagnosis.finding.name(), harm: row.diagnosis.harm.name(), program })
            .inc();
    }
    for group in &look.time_waits {
        if let (super::time_wait::Kind::Client(_, peer), Some(share)) = (group.kind, group.share) {
            // From several addresses of this machine: the largest.
            let gauge = shares.get_or_create(&Peer { peer: peer.to_string() });
            let largest = gauge.get().max(share);
            gauge.set(largest);
        }
    }
    unreadable.set(number(look.unreadable));
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = prometheus_client::encoding::text::encode(&mut text, &registry);
    sorted(&text)
}

/// Sorts the lines of each metric: the families have no order of their own.
fn sorted(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    for samples in lines.chunk_by_mut(|one, next| !one.starts_with('#') && !next.starts_with('#')) {
        samples.sort_unstable();
    }
    lines.iter().flat_map(|line| [*line, "\n"]).collect()
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
