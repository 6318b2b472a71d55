//! The medians of one figure, as a Markdown table.

use crate::figure::{Figure, Kind};
use crate::peers::Peer;
use crate::wire::Wire;
use std::fmt;

/// One measurement of one server.
#[derive(Clone, Copy)]
pub(crate) struct Measured {
    pub(crate) value: f64,
    /// Nanoseconds for each message; for idle connections per cent of a core.
    pub(crate) cpu: f64,
}

pub(crate) struct Table<'a> {
    figure: &'a Figure,
    /// The servers, each with its wire. The first is ours.
    peers: &'a [(Peer, Wire)],
    /// For each server, its rounds.
    rows: Vec<Vec<Measured>>,
}

impl<'a> Table<'a> {
    pub(crate) fn new(figure: &'a Figure, peers: &'a [(Peer, Wire)]) -> Self {
        Self { figure, peers, rows: peers.iter().map(|_| Vec::new()).collect() }
    }

    pub(crate) fn add(&mut self, peer: usize, measured: Measured) {
        self.rows[peer].push(measured);
    }

    /// Returns the median, over the rounds, of ours divided by this server's.
    fn ratio(&self, peer: usize, of: impl Fn(&Measured) -> f64) -> f64 {
        let pairs = self.rows[0].iter().zip(&self.rows[peer]);
        median(pairs.map(|(ours, theirs)| of(ours) / of(theirs)))
    }

    fn units(&self) -> (&'static str, &'static str) {
        match self.figure.kind {
            Kind::Throughput(_) | Kind::Client(_) => ("1,000 messages/s", "CPU, ns per message"),
            Kind::PingPong(_) => ("median, µs", "CPU, ns per message"),
            Kind::Bulk(_) => ("MB/s", "CPU, ns per message"),
            Kind::Short => ("1,000 conversations/s", "CPU, ns per conversation"),
            Kind::Idle { .. } => ("bytes per connection", "CPU, % of a core"),
        }
    }

    fn scale(&self) -> f64 {
        match self.figure.kind {
            Kind::Throughput(_) | Kind::Client(_) | Kind::Short => 1e-3,
            Kind::Bulk(_) => 1e-6,
            Kind::PingPong(_) | Kind::Idle { .. } => 1.0,
        }
    }
}

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, cpu) = self.units();
        writeln!(f, "### {}: {}\n", self.figure.name, self.figure.title)?;
        let ours = if let Kind::Client(_) = self.figure.kind { "library" } else { "echo" };
        let first = if let Kind::Client(_) = self.figure.kind { "generator" } else { "server" };
        writeln!(f, "| {first} | {unit} | {cpu} | {ours} / this | CPU, {ours} / this |")?;
        writeln!(f, "|---|---|---|---|---|")?;
        for (number, (peer, _)) in self.peers.iter().enumerate() {
            let value = median(self.rows[number].iter().map(|measured| measured.value)) * self.scale();
            let cpu = median(self.rows[number].iter().map(|measured| measured.cpu));
            let places = if value < 100.0 { 1 } else { 0 };
            let name = match (self.figure.kind, peer) {
                (Kind::Client(_), Peer::Floor) => "neutral, epoll",
                _ => peer.name(),
            };
            write!(f, "| {name} | {value:.places$} | {cpu:.0} ")?;
            if number == 0 {
                writeln!(f, "| | |")?;
            } else {
                let (ratio, cpu) = (self.ratio(number, |m| m.value), self.ratio(number, |m| m.cpu));
                writeln!(f, "| {ratio:.2} | {cpu:.2} |")?;
            }
        }
        Ok(())
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<_> = values.collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
