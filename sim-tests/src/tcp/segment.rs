//! Segments and their fates on the link.

use crate::support::{Millis, ScenarioError, number};
use echo_core::Role;
use std::fmt;
use std::str::FromStr;

/// A TCP segment (RFC 9293 section 3.1), as it left its host.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Segment {
    /// Its number among all segments that left any host in this run, from 0.
    pub index: u32,
    /// The side whose host sent it.
    pub from: Role,
    /// Source and destination port.
    pub ports: [u16; 2],
    /// Its sequence number, absolute.
    pub seq: u32,
    /// Its acknowledgment number, absolute; 0 without ACK.
    pub ack: u32,
    /// Its control bits.
    pub flags: Flags,
    /// Its window field, unscaled.
    pub window: u16,
    /// Number of payload bytes.
    pub length: usize,
    /// The whole IP packet.
    pub bytes: Vec<u8>,
}

/// The control bits of a segment, encoded as in its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Flags(
    /// FIN 1, SYN 2, RST 4, PSH 8, ACK 16.
    pub u8,
);

/// What the link does with a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum PacketFate {
    /// It arrives after the link's latency.
    Deliver,
    /// It is lost.
    Lose,
    /// It arrives, and once more after this extra time.
    Twice(Millis),
    /// It arrives this much later, and later segments may overtake it.
    Late(Millis),
    /// It arrives just behind the next segment of its direction, or 50 ms late if none follows.
    Behind,
    /// One bit is flipped, so its checksum is wrong.
    Corrupt,
}

impl Flags {
    /// FIN.
    pub const FIN: u8 = 1;
    /// SYN.
    pub const SYN: u8 = 2;
    /// RST.
    pub const RST: u8 = 4;
    /// PSH.
    pub const PSH: u8 = 8;
    /// ACK.
    pub const ACK: u8 = 16;

    /// Returns whether all of `bits` are set.
    pub fn has(self, bits: u8) -> bool {
        self.0 & bits == bits
    }
}

impl Segment {
    /// Returns the sequence numbers that it consumes: one a byte, and one each for SYN and FIN.
    pub fn space(&self) -> u32 {
        let bits = u32::from(self.flags.has(Flags::SYN)) + u32::from(self.flags.has(Flags::FIN));
        // A segment is smaller than 64 KiB.
        u32::try_from(self.length).unwrap_or(u32::MAX).wrapping_add(bits)
    }

    /// Returns whether it opens a connection: SYN without ACK.
    pub fn is_first_syn(&self) -> bool {
        self.flags.has(Flags::SYN) && !self.flags.has(Flags::ACK)
    }

    /// Returns its payload.
    pub fn payload(&self) -> &[u8] {
        &self.bytes[self.bytes.len().saturating_sub(self.length)..]
    }

    /// Returns whether it only acknowledges.
    pub fn is_bare_ack(&self) -> bool {
        self.space() == 0 && !self.flags.has(Flags::RST)
    }
}

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names =
            [(Self::SYN, "SYN"), (Self::FIN, "FIN"), (Self::RST, "RST"), (Self::PSH, "PSH"), (Self::ACK, "ACK")];
        let set: Vec<_> = names.into_iter().filter(|(bit, _)| self.has(*bit)).map(|(_, name)| name).collect();
        f.pad(&set.join("|"))
    }
}

impl fmt::Display for PacketFate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deliver => f.write_str("deliver"),
            Self::Lose => f.write_str("lose"),
            Self::Twice(ms) => write!(f, "twice-{ms}"),
            Self::Late(ms) => write!(f, "late-{ms}"),
            Self::Behind => f.write_str("behind"),
            Self::Corrupt => f.write_str("corrupt"),
        }
    }
}

impl FromStr for PacketFate {
    type Err = ScenarioError;

    fn from_str(text: &str) -> Result<Self, ScenarioError> {
        let delay = |prefix| text.strip_prefix(prefix).and_then(number);
        match text {
            "deliver" => Ok(Self::Deliver),
            "lose" => Ok(Self::Lose),
            "behind" => Ok(Self::Behind),
            "corrupt" => Ok(Self::Corrupt),
            _ => delay("twice-").map(Self::Twice).or(delay("late-").map(Self::Late)).ok_or_else(|| {
                let known = "deliver, lose, twice-MS, late-MS, behind and corrupt";
                ScenarioError::Parse(format!("no fate {text:?}; there are {known}"))
            }),
        }
    }
}

/// Returns a copy of `packet` with its last bit flipped, so that its checksum is wrong.
pub fn corrupted(packet: &[u8]) -> Vec<u8> {
    let mut bytes = packet.to_vec();
    if let Some(last) = bytes.last_mut() {
        *last ^= 1;
    }
    bytes
}

/// Parses an IPv4 packet with a TCP segment (RFC 9293 section 3.1); `None` if it is malformed.
pub fn parse(index: u32, from: Role, bytes: Vec<u8>) -> Option<Segment> {
    let header = usize::from(bytes.first()? & 15) * 4;
    let tcp = bytes.get(header..)?;
    let short = |at: usize| Some(u16::from_be_bytes(tcp.get(at..at + 2)?.try_into().ok()?));
    let long = |at: usize| Some(u32::from_be_bytes(tcp.get(at..at + 4)?.try_into().ok()?));
    let data = usize::from(tcp.get(12)? >> 4) * 4;
    let flags = Flags(tcp.get(13)? & 0x3f);
    let (ports, seq, window) = ([short(0)?, short(2)?], long(4)?, short(14)?);
    let ack = if flags.has(Flags::ACK) { long(8)? } else { 0 };
    let length = tcp.len().checked_sub(data)?;
    Some(Segment { index, from, ports, seq, ack, flags, window, length, bytes })
}
