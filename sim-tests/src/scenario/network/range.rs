//! The ranges of the numbers of a network. Larger ones take too long, or no host has them.

use super::{Network, NetworkFault, PacketSelector, Span};
use crate::network::relay::Relay;
use crate::support::{Millis, ScenarioError, check_range};
use crate::tcp::PacketFate;

/// The longest time, in milliseconds: one hundred seconds, longer than every default deadline.
const LONGEST: Millis = 100_000;
/// The largest piece and buffer, in bytes.
const LARGEST: u64 = 1 << 20;
/// The largest number of faults of a network.
const FAULTS: u64 = 16;
/// The largest number of pieces in which a conversation may be read or written.
const PIECES: usize = 50_000;

impl Network {
    /// Checks that all numbers are in their ranges. `talk` is the size of all requests, in bytes.
    pub(crate) fn check(&self, talk: usize) -> Result<(), ScenarioError> {
        check_range("the latency, in milliseconds,", self.latency, 2..=LONGEST)?;
        let sizes = [("reads", self.reads), ("writes", self.writes), ("takes", self.takes), ("window", self.window)];
        for (what, size) in sizes {
            check_range(&format!("{what}, in bytes,"), size as u64, 0..=LARGEST)?;
            if size > 0 && talk / size > PIECES {
                let limit = PIECES * size;
                return Err(ScenarioError::Parse(format!(
                    "with {what}-{size}, all requests together must have at most {limit} bytes, not {talk}"
                )));
            }
        }
        check_range("batch, in milliseconds,", self.batch, 0..=LONGEST)?;
        check_range("reboots, in milliseconds,", self.reboot.unwrap_or_default(), 0..=LONGEST)?;
        if let Some(Relay::CutsOff(span)) = self.relay {
            check_range("relay-cuts-off-after, in milliseconds,", span, 0..=LONGEST)?;
        }
        check_range("the number of faults", self.faults.len() as u64, 0..=FAULTS)?;
        self.faults.iter().try_for_each(NetworkFault::check)
    }
}

impl NetworkFault {
    fn check(&self) -> Result<(), ScenarioError> {
        let time = |what: &str, span| check_range(&format!("{what} of {self}, in milliseconds,"), span, 0..=LONGEST);
        match self {
            Self::Hold { span: Span::For(span), .. } | Self::Cut { span: Span::For(span), .. } => {
                time("the span", *span)
            }
            Self::Hold { span: Span::Ever, .. } | Self::Cut { span: Span::Ever, .. } => Ok(()),
            Self::Loss { percent, .. } => check_range("the percentage of packets lost", u64::from(*percent), 1..=90),
            Self::Packet { which, fate } => {
                if let PacketSelector::Nth(number) = which {
                    check_range("the number of a packet", u64::from(*number), 0..=1_000_000)?;
                }
                match fate {
                    PacketFate::Twice(more) | PacketFate::Late(more) => time("the delay", *more),
                    PacketFate::Deliver | PacketFate::Lose | PacketFate::Behind | PacketFate::Corrupt => Ok(()),
                }
            }
        }
    }
}
