//! The network of a run: a value, made of parts.

use super::TICK;
use crate::network::Path;
use crate::network::relay::Relay;
use crate::support::{Millis, ScenarioError};
use std::fmt;
use std::ops::Add;
use std::str::FromStr;

/// How long a healed network is cut, and how long a relay waits for the second FIN.
pub(super) const HALF_A_SECOND: Millis = 500;

/// With [`TrialNetwork::TRICKLE`], so many bytes of a write arrive one by one, and the rest together.
const TRICKLING: usize = 16;

/// The network between the two ends, with what the kernels make of it. Every network keeps the order of bytes.
///
/// It has named parts. They are joined by `+`, in an id such as `slow+buffer-4`, and in code:
///
/// ```
/// use sim_tests::trial::TrialNetwork;
///
/// let network = TrialNetwork::SLOW + TrialNetwork::buffer(4);
/// assert_eq!(network.to_string(), "slow+buffer-4");
/// assert_eq!("slow+buffer-4".parse(), Ok(network));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TrialNetwork {
    slow: bool,
    coalesced: bool,
    /// Maximum size of a read, in bytes; 0 is no maximum.
    reads: usize,
    /// Maximum size of a write, in bytes; 0 is no maximum.
    writes: usize,
    /// How much a side may write that its peer has not read, in bytes; 0 is the trial's size.
    buffer: usize,
    trickle: bool,
    pending: bool,
    rst_overtakes: bool,
    cut: Option<Cut>,
    relay: Option<Relaying>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Cut {
    ForEver,
    Healed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Relaying {
    RstToFin,
    ClosesBoth,
    CutsOff,
}

impl TrialNetwork {
    /// A short cable.
    pub const CLEAR: Self = Self {
        slow: false,
        coalesced: false,
        reads: 0,
        writes: 0,
        buffer: 0,
        trickle: false,
        pending: false,
        rst_overtakes: false,
        cut: None,
        relay: None,
    };
    /// A long cable.
    pub const SLOW: Self = Self { slow: true, ..Self::CLEAR };
    /// Packets arrive only every 50 ms, several at once.
    pub const COALESCED: Self = Self { coalesced: true, ..Self::CLEAR };
    /// A read returns one byte.
    pub const ONE_BYTE_READS: Self = Self::reads(1);
    /// A write takes one byte.
    pub const ONE_BYTE_WRITES: Self = Self::writes(1);
    /// A side may write four bytes that its peer has not read. Then writes wait, and whoever writes before it reads may wait
    /// for ever.
    pub const SMALL_BUFFER: Self = Self::buffer(4);
    /// The first 16 bytes of a write arrive one by one, 5 ms apart, and then the rest. So what was sent at once is read in
    /// parts, with other things between.
    pub const TRICKLE: Self = Self { trickle: true, ..Self::CLEAR };
    /// Every second call that could be ready is pending, and wakes its task at once: it has to be made again.
    pub const PENDING: Self = Self { pending: true, ..Self::CLEAR };
    /// A RST overtakes and deletes what was sent before it and is still in flight.
    pub const RST_OVERTAKES: Self = Self { rst_overtakes: true, ..Self::CLEAR };
    /// The cable is cut when the fault is injected: what the fault sends is lost.
    pub const CUT: Self = Self { cut: Some(Cut::ForEver), ..Self::CLEAR };
    /// The same, but the cable works again after half a second: what the fault sends arrives late.
    pub const CUT_HEALED: Self = Self { cut: Some(Cut::Healed), ..Self::CLEAR };
    /// A relay that turns every RST into FIN.
    pub const RELAY_RST_TO_FIN: Self = Self { relay: Some(Relaying::RstToFin), ..Self::CLEAR };
    /// A relay that turns every RST into FIN, and takes a half-close for the end of both directions.
    pub const RELAY_CLOSES_BOTH: Self = Self { relay: Some(Relaying::ClosesBoth), ..Self::CLEAR };
    /// A relay that turns every RST into FIN, and closes a half-closed conversation after half a second.
    pub const RELAY_CUTS_OFF: Self = Self { relay: Some(Relaying::CutsOff), ..Self::CLEAR };

    /// The networks of a trial that names none.
    pub const ALL: [Self; 14] = [
        Self::CLEAR,
        Self::SLOW,
        Self::ONE_BYTE_READS,
        Self::ONE_BYTE_WRITES,
        Self::SMALL_BUFFER,
        Self::TRICKLE,
        Self::PENDING,
        Self::COALESCED,
        Self::RST_OVERTAKES,
        Self::CUT,
        Self::CUT_HEALED,
        Self::RELAY_RST_TO_FIN,
        Self::RELAY_CLOSES_BOTH,
        Self::RELAY_CUTS_OFF,
    ];

    /// The relays. As measured with real ones, none forwards a RST.
    pub const RELAYS: [Self; 3] = [Self::RELAY_RST_TO_FIN, Self::RELAY_CLOSES_BOTH, Self::RELAY_CUTS_OFF];

    /// The parts without a number, with their names in an id.
    const PARTS: [(&'static str, Self); 12] = [
        ("slow", Self::SLOW),
        ("coalesced", Self::COALESCED),
        ("one-byte-reads", Self::ONE_BYTE_READS),
        ("one-byte-writes", Self::ONE_BYTE_WRITES),
        ("trickle", Self::TRICKLE),
        ("pending", Self::PENDING),
        ("rst-overtakes", Self::RST_OVERTAKES),
        ("cut", Self::CUT),
        ("cut-healed", Self::CUT_HEALED),
        ("relay-rst-to-fin", Self::RELAY_RST_TO_FIN),
        ("relay-closes-both", Self::RELAY_CLOSES_BOTH),
        ("relay-cuts-off", Self::RELAY_CUTS_OFF),
    ];

    /// A read returns at most `bytes`; 0 is no maximum.
    pub const fn reads(bytes: usize) -> Self {
        Self { reads: bytes, ..Self::CLEAR }
    }

    /// A write takes at most `bytes`; 0 is no maximum.
    pub const fn writes(bytes: usize) -> Self {
        Self { writes: bytes, ..Self::CLEAR }
    }

    /// A side may write `bytes` that its peer has not read; 0 is what [`Trial::buffer`](super::Trial::buffer) says.
    pub const fn buffer(bytes: usize) -> Self {
        Self { buffer: bytes, ..Self::CLEAR }
    }

    /// Returns whether it is cut when a fault is injected. Without a fault it is the same as without that part.
    pub fn is_cut(self) -> bool {
        self.cut.is_some()
    }

    /// Returns whether there is a relay, so that each end has a connection of its own to it.
    pub fn is_relay(self) -> bool {
        self.relay.is_some()
    }

    /// Returns the network with a cable that is never cut.
    pub(super) fn uncut(self) -> Self {
        Self { cut: None, ..self }
    }

    /// Why the Linux kernel cannot be this network; `None` if it can.
    #[cfg(all(feature = "linux", target_os = "linux"))]
    pub(super) fn not_on_linux(self) -> Option<&'static str> {
        if self.rst_overtakes {
            Some("a RST that overtakes data; Linux takes none (RFC 5961)")
        } else if self.writes > 0 || self.buffer > 0 || self.trickle || self.pending {
            Some("its network limits or delays single calls, and Linux decides that itself")
        } else {
            None
        }
    }

    /// How long the network is cut when a fault is injected; the inner `None` means for ever.
    pub(super) fn cut(self) -> Option<Option<Millis>> {
        self.cut.map(|cut| match cut {
            Cut::ForEver => None,
            Cut::Healed => Some(HALF_A_SECOND),
        })
    }

    /// Maximum size of a read, in bytes.
    pub(super) fn most_read(self) -> usize {
        if self.reads == 0 { usize::MAX } else { self.reads }
    }

    /// Maximum size of a write, in bytes.
    pub(super) fn most_written(self) -> usize {
        if self.writes == 0 { usize::MAX } else { self.writes }
    }

    /// How much a side may write that its peer has not read, in bytes, where the trial says `usual`.
    pub(super) fn room(self, usual: usize) -> usize {
        if self.buffer == 0 { usual } else { self.buffer }
    }

    /// Whether every second call is pending.
    pub(super) fn is_pending(self) -> bool {
        self.pending
    }

    /// Returns the parts in which a write arrives, each with its delay.
    pub(super) fn arrivals(self, bytes: &[u8]) -> Vec<(Millis, Vec<u8>)> {
        if !self.trickle {
            return vec![(0, bytes.to_vec())];
        }
        let (alone, together) = bytes.split_at(bytes.len().min(TRICKLING));
        let parts = alone.chunks(1).chain((!together.is_empty()).then_some(together));
        parts.zip(0..).map(|(part, number)| (number * TICK, part.to_vec())).collect()
    }

    pub(super) fn path(self) -> Path {
        Path {
            latency: if self.slow { 20 * TICK } else { 2 * TICK },
            batch: if self.coalesced { 10 * TICK } else { 0 },
            overtaking: self.rst_overtakes,
            relay: self.relay.map(|relay| match relay {
                Relaying::RstToFin => Relay::PassesHalfClose,
                Relaying::ClosesBoth => Relay::ClosesBoth,
                Relaying::CutsOff => Relay::CutsOff(HALF_A_SECOND),
            }),
            takes: 0,
        }
    }

    fn parts(self) -> Vec<String> {
        // A part that changes nothing is there.
        let named = Self::PARTS.into_iter().filter(|(_, part)| self + *part == self).map(|(name, _)| name.to_owned());
        // A read of one byte has a name.
        let numbers = [("reads", self.reads, 1), ("writes", self.writes, 1), ("buffer", self.buffer, 0)];
        let numbered = numbers.into_iter().filter(|(_, number, named)| number > named);
        named.chain(numbered.map(|(name, number, _)| format!("{name}-{number}"))).collect()
    }
}

/// Both networks in one. Where they differ, the right one counts.
impl Add for TrialNetwork {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let number = |left, right| if right == 0 { left } else { right };
        Self {
            slow: self.slow | other.slow,
            coalesced: self.coalesced | other.coalesced,
            reads: number(self.reads, other.reads),
            writes: number(self.writes, other.writes),
            buffer: number(self.buffer, other.buffer),
            trickle: self.trickle | other.trickle,
            pending: self.pending | other.pending,
            rst_overtakes: self.rst_overtakes | other.rst_overtakes,
            cut: other.cut.or(self.cut),
            relay: other.relay.or(self.relay),
        }
    }
}

/// Writes the id: the parts, in a fixed order, or `clear`.
impl fmt::Display for TrialNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.parts()[..] {
            [] => f.write_str("clear"),
            parts => f.write_str(&parts.join("+")),
        }
    }
}

impl FromStr for TrialNetwork {
    type Err = ScenarioError;

    fn from_str(id: &str) -> Result<Self, ScenarioError> {
        if id == "clear" {
            return Ok(Self::CLEAR);
        }
        let network = id.split('+').try_fold(Self::CLEAR, |all, name| Ok(all + part(name)?))?;
        match network.to_string() {
            written if written == id => Ok(network),
            written => Err(ScenarioError::Parse(format!("the network {id:?} is written {written:?}"))),
        }
    }
}

fn part(name: &str) -> Result<TrialNetwork, ScenarioError> {
    if let Some((_, part)) = TrialNetwork::PARTS.into_iter().find(|(known, _)| *known == name) {
        return Ok(part);
    }
    let number = |name: &str, before: &str| name.strip_prefix(before)?.parse().ok().filter(|number| *number > 0);
    let sized = number(name, "reads-").map(TrialNetwork::reads);
    let sized = sized.or_else(|| number(name, "writes-").map(TrialNetwork::writes));
    sized.or_else(|| number(name, "buffer-").map(TrialNetwork::buffer)).ok_or_else(|| {
        let known: Vec<_> = TrialNetwork::PARTS.into_iter().map(|(known, _)| known).collect();
        let known = known.join(", ");
        ScenarioError::Parse(format!(
            "no part of a network {name:?}; there are clear, {known}, reads-N, writes-N and buffer-N"
        ))
    })
}

#[cfg(feature = "serde")]
crate::support::serde_as_text!(TrialNetwork);

#[cfg(test)]
mod tests {
    use super::TrialNetwork;

    #[test]
    fn every_id_is_parsed() {
        let both = TrialNetwork::ALL.into_iter().flat_map(|one| TrialNetwork::ALL.map(|other| one + other));
        let sizes = [TrialNetwork::reads(7), TrialNetwork::writes(2) + TrialNetwork::CUT, TrialNetwork::buffer(100)];
        for network in both.chain(sizes) {
            assert_eq!(network.to_string().parse(), Ok(network), "{network}");
        }
        let all = TrialNetwork::ALL.map(|network| network.to_string());
        insta::assert_snapshot!(all.join(" "), @"clear slow one-byte-reads one-byte-writes buffer-4 trickle pending coalesced rst-overtakes cut cut-healed relay-rst-to-fin relay-closes-both relay-cuts-off");
    }

    #[test]
    fn what_is_no_network_is_named() {
        let refused = |id: &str| id.parse::<TrialNetwork>().expect_err(id).to_string();
        let ids = ["", "nowhere", "buffer-0", "reads-x", "clear+slow", "trickle+slow", "cut+cut-healed", "reads-1"];
        insta::assert_snapshot!(ids.map(refused).join("\n"), @r#"
no part of a network ""; there are clear, slow, coalesced, one-byte-reads, one-byte-writes, trickle, pending, rst-overtakes, cut, cut-healed, relay-rst-to-fin, relay-closes-both, relay-cuts-off, reads-N, writes-N and buffer-N
no part of a network "nowhere"; there are clear, slow, coalesced, one-byte-reads, one-byte-writes, trickle, pending, rst-overtakes, cut, cut-healed, relay-rst-to-fin, relay-closes-both, relay-cuts-off, reads-N, writes-N and buffer-N
no part of a network "buffer-0"; there are clear, slow, coalesced, one-byte-reads, one-byte-writes, trickle, pending, rst-overtakes, cut, cut-healed, relay-rst-to-fin, relay-closes-both, relay-cuts-off, reads-N, writes-N and buffer-N
no part of a network "reads-x"; there are clear, slow, coalesced, one-byte-reads, one-byte-writes, trickle, pending, rst-overtakes, cut, cut-healed, relay-rst-to-fin, relay-closes-both, relay-cuts-off, reads-N, writes-N and buffer-N
no part of a network "clear"; there are clear, slow, coalesced, one-byte-reads, one-byte-writes, trickle, pending, rst-overtakes, cut, cut-healed, relay-rst-to-fin, relay-closes-both, relay-cuts-off, reads-N, writes-N and buffer-N
the network "trickle+slow" is written "slow+trickle"
the network "cut+cut-healed" is written "cut-healed"
the network "reads-1" is written "one-byte-reads"
"#);
    }

    #[test]
    fn a_write_trickles() {
        let bytes: Vec<u8> = (0..20).collect();
        let parts = TrialNetwork::TRICKLE.arrivals(&bytes);
        assert_eq!(parts.len(), 17);
        assert_eq!((&parts[0], &parts[15]), (&(0, vec![0]), &(75, vec![15])));
        assert_eq!(parts[16], (80, vec![16, 17, 18, 19]));
        assert_eq!(TrialNetwork::CLEAR.arrivals(&bytes), [(0, bytes)]);
    }
}
