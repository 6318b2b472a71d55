//! The text form of a network.

use super::{HeldContent, Network, NetworkFault, PacketContent, PacketSelector, Rst, Sender, Span};
use crate::network::relay::Relay;
use crate::scenario::plan::Point;
use crate::support::{ScenarioError, check_length, number, pick};
use std::fmt;
use std::str::FromStr;

impl Network {
    /// Returns all named networks.
    fn all_named() -> impl Iterator<Item = (&'static str, &'static str)> {
        Self::NAMED.into_iter().chain(Self::PACKETS)
    }

    fn part(&mut self, part: &str) -> Result<(), ScenarioError> {
        let bad = || {
            let names: Vec<_> = Self::all_named().map(|(name, _)| name).collect();
            let names = names.join(", ");
            ScenarioError::Parse(format!(
                "no network {part:?}; there are {names}, and parts such as latency-10+reads-1"
            ))
        };
        match part {
            "rst-race" => self.rst = Rst::Races,
            "rst-overtakes" => self.rst = Rst::Overtakes,
            "relay-rst-to-fin" => self.relay = Some(Relay::PassesHalfClose),
            "relay-closes-both" => self.relay = Some(Relay::ClosesBoth),
            "port-reused" => self.earlier = true,
            _ => return self.part_with_a_number(part).ok_or_else(bad)?,
        }
        Ok(())
    }

    /// Parses a part with an argument; `None` if there is no such part.
    fn part_with_a_number(&mut self, part: &str) -> Option<Result<(), ScenarioError>> {
        let (kind, rest) = part.split_once('-')?;
        match kind {
            "latency" => self.latency = number(rest)?,
            "reads" => self.reads = number(rest)?,
            "writes" => self.writes = number(rest)?,
            "takes" => self.takes = number(rest)?,
            "batch" => self.batch = number(rest)?,
            "window" => self.window = number(rest)?,
            "reboots" => self.reboot = Some(number(rest)?),
            "relay" => self.relay = Some(Relay::CutsOff(number(rest.strip_prefix("cuts-off-after-")?)?)),
            "packet" => self.faults.push(packet(rest)?),
            "loss" => {
                let (percent, seed) = rest.split_once("-seed-")?;
                self.faults.push(NetworkFault::Loss { percent: number(percent)?, seed: number(seed)? });
            }
            "cut" => {
                let (point, span) = rest.rsplit_once('-')?;
                let span = Span::parse(span)?;
                match Point::parse(point) {
                    Ok(point) => self.faults.push(NetworkFault::Cut { point, span }),
                    Err(refusal) => return Some(Err(refusal)),
                }
            }
            "hold" => {
                let (from, rest) = rest.split_once('-')?;
                let (mark, span) = rest.rsplit_once('-')?;
                let span = Span::parse(span)?;
                let from = pick("sender", from, &Sender::ALL, Sender::id);
                let mark = pick("mark", mark, &HeldContent::ALL, HeldContent::id);
                match (from, mark) {
                    (Ok(from), Ok(mark)) => self.faults.push(NetworkFault::Hold { from, content: mark, span }),
                    (Err(refusal), _) | (_, Err(refusal)) => return Some(Err(refusal)),
                }
            }
            _ => return None,
        }
        Some(Ok(()))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((name, _)) = Self::all_named().find(|(name, _)| Self::named(name).as_ref() == Some(self)) {
            return f.write_str(name);
        }
        write!(f, "latency-{}", self.latency)?;
        let [reads, writes, takes, window] = [self.reads, self.writes, self.takes, self.window].map(|size| size as u64);
        let batch = self.batch;
        let parts = [("reads", reads), ("writes", writes), ("takes", takes), ("batch", batch), ("window", window)];
        for (name, size) in parts {
            if size > 0 {
                write!(f, "+{name}-{size}")?;
            }
        }
        match self.rst {
            Rst::InOrder => (),
            Rst::Overtakes => f.write_str("+rst-overtakes")?,
            Rst::Races => f.write_str("+rst-race")?,
        }
        match self.relay {
            None => (),
            Some(Relay::PassesHalfClose) => f.write_str("+relay-rst-to-fin")?,
            Some(Relay::ClosesBoth) => f.write_str("+relay-closes-both")?,
            Some(Relay::CutsOff(span)) => write!(f, "+relay-cuts-off-after-{span}")?,
        }
        if let Some(span) = self.reboot {
            write!(f, "+reboots-{span}")?;
        }
        if self.earlier {
            f.write_str("+port-reused")?;
        }
        self.faults.iter().try_for_each(|fault| write!(f, "+{fault}"))
    }
}

impl fmt::Display for NetworkFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hold { from, content: mark, span } => write!(f, "hold-{}-{}-{span}", from.id(), mark.id()),
            Self::Cut { point, span } => write!(f, "cut-{}-{span}", point.id()),
            Self::Packet { which, fate } => write!(f, "packet-{which}-{fate}"),
            Self::Loss { percent, seed } => write!(f, "loss-{percent}-seed-{seed}"),
        }
    }
}

impl FromStr for Network {
    type Err = ScenarioError;

    fn from_str(text: &str) -> Result<Self, ScenarioError> {
        check_length("a network", text)?;
        if let Some(network) = Self::named(text) {
            return Ok(network);
        }
        let mut network = Self::clear(4);
        for part in text.split('+') {
            network.part(part)?;
        }
        Ok(network)
    }
}

/// Parses, for example, `17-lose` or `client-close-late-20`.
fn packet(text: &str) -> Option<NetworkFault> {
    let (first, rest) = text.split_once('-')?;
    if let Some(index) = number(first) {
        return Some(NetworkFault::Packet { which: PacketSelector::Nth(index), fate: rest.parse().ok()? });
    }
    let from = Sender::ALL.into_iter().find(|whose| whose.id() == first)?;
    let fate_behind = |carries: PacketContent| rest.strip_prefix(carries.id())?.strip_prefix('-')?.parse().ok();
    let (carries, fate) = PacketContent::ALL.into_iter().find_map(|carries| Some((carries, fate_behind(carries)?)))?;
    Some(NetworkFault::Packet { which: PacketSelector::First { from, carries }, fate })
}

impl fmt::Display for PacketSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nth(number) => write!(f, "{number}"),
            Self::First { from, carries } => write!(f, "{}-{}", from.id(), carries.id()),
        }
    }
}

impl Span {
    fn parse(text: &str) -> Option<Self> {
        if text == "ever" { Some(Self::Ever) } else { number(text).map(Self::For) }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::For(span) => write!(f, "{span}"),
            Self::Ever => f.write_str("ever"),
        }
    }
}
