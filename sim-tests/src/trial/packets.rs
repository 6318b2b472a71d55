//! A rule of the user's own for packets.

use crate::network::PacketKind;
use crate::support::Millis;
use echo_core::Role;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How long Linux waits at least until it sends a packet again (`TCP_RTO_MIN`).
const RETRANSMITTED_AFTER: Millis = 200;

/// A packet that a side sends.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct TrialPacket<'a> {
    /// Virtual time in milliseconds.
    pub at: Millis,
    /// The sender.
    pub from: Role,
    /// The number of the connection, counted from 1.
    pub connection: usize,
    /// What it is.
    pub kind: TrialPacketKind,
    /// Its data.
    pub bytes: &'a [u8],
}

/// What a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TrialPacketKind {
    /// Data.
    Data,
    /// FIN.
    Fin,
    /// RST.
    Reset,
}

/// What becomes of a packet. TCP keeps the order: what comes after a packet that is late arrives after it. A packet that
/// comes twice is no fate of its own, because TCP takes it once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TrialPacketFate {
    /// It takes the usual time.
    Pass,
    /// It takes so much longer.
    Delay(Duration),
    /// It is lost. Data and FIN are sent again after 200 ms, RST is not.
    Lose,
}

/// The rule for the packets of all runs.
#[derive(Clone)]
pub(super) struct PacketRule(pub(super) Arc<dyn Fn(&TrialPacket<'_>) -> TrialPacketFate + Send + Sync>);

impl PacketRule {
    /// How much longer the packet takes; `None` if it never arrives.
    pub(super) fn delay(&self, packet: &TrialPacket<'_>) -> Option<Millis> {
        match ((self.0)(packet), packet.kind) {
            (TrialPacketFate::Pass, _) => Some(0),
            (TrialPacketFate::Delay(span), _) => Some(Millis::try_from(span.as_millis()).unwrap_or(Millis::MAX / 4)),
            (TrialPacketFate::Lose, TrialPacketKind::Data | TrialPacketKind::Fin) => Some(RETRANSMITTED_AFTER),
            (TrialPacketFate::Lose, TrialPacketKind::Reset) => None,
        }
    }
}

impl TrialPacketKind {
    pub(super) fn of(kind: PacketKind) -> Self {
        match kind {
            PacketKind::Data => Self::Data,
            PacketKind::Fin => Self::Fin,
            PacketKind::Reset => Self::Reset,
        }
    }
}

impl fmt::Debug for PacketRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PacketRule")
    }
}
