//! Stream-level equivalents of networks of packets.

use super::fault::RETRANSMISSION;
use super::{Network, NetworkFault, PacketContent, PacketSelector, Span};
use crate::support::Millis;
use crate::tcp::PacketFate;

/// Longer than any deadline of an ending.
const TOO_LATE: Millis = 500;

impl Network {
    /// Returns the stream-level networks that look the same from above TCP. Their endings are the possible endings on
    /// this network. A network without packet faults is its own equivalent.
    ///
    /// The result is empty if the contract alone decides which endings are allowed. This is so where chance or a packet
    /// number selects the lost packet, where a RST is lost (TCP does not retransmit it), where a rebooted host answers
    /// with RST, and where each piece waits for a window, so that any deadline may pass.
    pub fn stream_equivalents(&self) -> Vec<Self> {
        if self.reboot.is_some() || self.window > 0 {
            return Vec::new();
        }
        let plain = Self { faults: Vec::new(), window: 0, reboot: None, earlier: false, ..self.clone() };
        self.faults.iter().fold(vec![plain], |networks, fault| {
            let ways = fault.stream_equivalents();
            let with = |network: &Self, way: &[NetworkFault]| Self {
                faults: [&network.faults, way].concat(),
                ..network.clone()
            };
            networks.iter().flat_map(|network| ways.iter().map(|way| with(network, way))).collect()
        })
    }
}

impl NetworkFault {
    /// Returns the alternatives for this fault, each a list of stream-level faults.
    fn stream_equivalents(self) -> Vec<Vec<Self>> {
        let (which, fate) = match self {
            Self::Hold { .. } | Self::Cut { .. } => return vec![vec![self]],
            Self::Loss { .. } => return Vec::new(),
            Self::Packet { which, fate } => (which, fate),
        };
        let (from, carries) = match which {
            PacketSelector::Nth(_) => return Vec::new(),
            PacketSelector::First { from, carries } => (from, carries),
        };
        match (fate, carries) {
            // TCP drops duplicates.
            (PacketFate::Deliver | PacketFate::Twice(_), _) => return vec![Vec::new()],
            (PacketFate::Lose | PacketFate::Corrupt, PacketContent::Rst) => return Vec::new(),
            (PacketFate::Lose | PacketFate::Corrupt | PacketFate::Late(_) | PacketFate::Behind, _) => (),
        }
        let mut ways = vec![Vec::new()];
        if let Some(content) = carries.mark() {
            let held = |millis| vec![Self::Hold { from, content, span: Span::For(millis) }];
            ways.extend([RETRANSMISSION, TOO_LATE].map(held));
        }
        ways
    }
}
